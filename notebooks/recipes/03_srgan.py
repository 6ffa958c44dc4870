"""Settings and recipes of lab 03: -p recipe NAME chooses a recipe, -p NAME VALUE changes a setting."""

from srlab.losses import PIXEL_LOSSES
from srlab.training.schedules import SCHEDULES
from srlab_course.lab.settings import ours, parameter, setting
from srlab_course.lab.shared_settings import GanLab
from srlab_course.lab.sizes import SIZES, TRAINED_ON_PAIRS


class SRGAN(GanLab):
    description = "two to three minutes on two CPU cores"
    source = "this course, tuned on two cores"
    # deeper layers make soft walls and edges too sharp
    without_weights = {"features": "vgg6 conv2_2", "content_weight": 0.02}

    images = parameter("")
    validation = parameter("", smallest=64)
    backbone = parameter("auto")
    photo = parameter("", smallest=64)

    iters = setting(800, "total number of steps of the GAN stage", least=0, cell=0)
    start = setting("bundled", "bundled (MSRResNet for scale 4), or a run; otherwise lab 01's run of the same name")
    network = setting(
        "MSRResNet", "network to pretrain, a name in srlab_course.lab.sizes.TRAINED_ON_PAIRS", choices=TRAINED_ON_PAIRS
    )
    size = setting("laptop", "size of that network, tiny, laptop or paper (16 blocks of 64 features)", choices=SIZES)
    num_blocks = setting(0, "number of its residual blocks; 0 for the default of the size", least=0)
    patch = 32  # with 64, the same steps take more than twice as long and gain nothing
    features = "resnet18 block1"
    normalize = setting(True, "normalize images with ImageNet's mean and standard deviation")
    content = setting("l1", "distance between feature maps, l1 or mse", choices=PIXEL_LOSSES)
    pixel = setting("l1", "pixel loss, a name in srlab.losses.PIXEL_LOSSES", choices=PIXEL_LOSSES, answers_follow=False)
    adversarial_weight = 0.006
    ema = 0.996  # an average over many steps, because with fewer a fluctuating pattern shows
    schedule = setting(
        "cosine", "learning-rate schedule, a name in SCHEDULES, such as halved in the paper", choices=SCHEDULES
    )
    instance_noise = 0.1  # against faint patterns; runs on gravel without it have slightly more of them
    augment = setting(
        "all", "all (eight orientations), flip (left to right only) or none", choices=("all", "flip", "none")
    )
    center_crop = setting(0, "side of the center crop for validation, in pixels; 0 uses whole photos", least=0)
    validate_every = 200
    ablation_up_to = setting(
        2000,
        "longest run, in steps, that includes the three training runs of section 6, each of which takes as many steps",
    )


class Smoke(SRGAN):
    description = "the same code in seconds, for CI"
    source = "this course"

    iters = 10
    start = "01_srresnet/smoke"
    pretrain_iters = 20
    size = "tiny"
    photos = "astronaut"
    batch = 4
    validate_every = 10


class Paper(SRGAN):
    description = "SRGAN as published, starting from the SRResNet of lab 01's recipe paper"
    source = "Ledig et al. 2017, section 3.2"
    # The paper divides the maps by 12.75; squared, that is the content weight. Like most code, we average over
    # channels.
    strict = True
    without_weights = {}

    iters = 200_000
    subject = ours("")
    start = ours("01_srresnet/paper")
    pretrain_iters = 1_000_000
    network = "SRResNet"
    size = ours("paper")
    batch = 16
    patch = 96
    features = "vgg19 relu5_4"
    content = "mse"
    relative = False
    max_shift = 0
    pixel = "mse"
    pixel_weight = 0.0
    content_weight = 0.00615
    adversarial_weight = 0.001
    discriminator = "srgan"
    learning_rate = 0.0001
    discriminator_rate = 0.0001
    schedule = "halved"
    instance_noise = 0.0
    betas = [0.9, 0.99]
    ema = ours(0.999)
    validate_every = ours(5000)


class Gpu(Paper):
    description = "SRGAN with 16 blocks of 64 features on a GPU"
    source = "Ledig et al. 2017, shortened"
    strict = False
    without_weights = {  # these losses were tested without ImageNet weights
        "features": "vgg6 conv2_2",
        "content": "l1",
        "relative": True,
        "max_shift": 3,
        "pixel_weight": 4.0,
        "content_weight": 0.015,
        "adversarial_weight": 0.004,
        "instance_noise": 0.1,
        "discriminator": "patch",
    }

    iters = ours(100_000)
    start = ours("01_srresnet/gpu")
    pretrain_iters = ours(100_000)
    network = ours("MSRResNet")
    batch = ours(32)
    schedule = ours("cosine")
    validate_every = ours(2000)
    pixel_weight = ours(0.0)


RECIPES = {"laptop": SRGAN, "smoke": Smoke, "paper": Paper, "gpu": Gpu}


def auto(machine):
    """Return the recipe for a machine, a number of steps, and the photos."""
    return "gpu" if machine.trains_long else "laptop"
