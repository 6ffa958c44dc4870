"""Settings and recipes of lab 02: -p recipe NAME chooses a recipe, -p NAME VALUE changes a setting."""

from srlab.training.schedules import SCHEDULES
from srlab_course.lab.settings import ours, parameter, setting
from srlab_course.lab.shared_settings import TrainingLab
from srlab_course.lab.sizes import SIZES, TRAINED_ON_PAIRS


class ContentLoss(TrainingLab):
    description = "one to two minutes on two CPU cores"
    source = "this course, tuned on two cores"

    images = parameter("")
    validation = parameter("", smallest=48)
    photo = parameter("", smallest=96)
    backbone = parameter("auto")
    scale = parameter(4, choices=(2, 3, 4, 8))

    iters = setting(200, "training steps of each run", least=0, cell=0)
    start = setting("bundled", 'pretrained network for all training runs, a run or bundled; "" for random weights')
    network = setting("MSRResNet", "MSRResNet, SRResNet or RRDBNet", choices=TRAINED_ON_PAIRS)
    size = setting("laptop", "size of the network, tiny, laptop or paper (16 blocks of 64 features)", choices=SIZES)
    learning_rate = setting(0.0005, "peak learning rate of Adam; 0 for 1e-3, or 2.5e-4 above 32 features", least=0)
    schedule = setting(
        "onecycle", "learning-rate schedule, a name in SCHEDULES; constant in the paper", choices=SCHEDULES
    )
    features = setting("vgg6 relu1_2 relu2_2", "network and layers of the content loss")
    normalize = setting(True, "normalize images with ImageNet's mean and standard deviation", answers_follow=False)
    content = setting("mse", "distance between feature maps, mse or l1", choices=("mse", "l1"), answers_follow=False)
    relative = setting(True, "divide the content loss by the magnitude of HR's feature maps", answers_follow=False)
    pixel_weight = setting(0.0, "weight of the pixel MSE in the main run", least=0)
    content_weight = setting(1.0, "weight of the content loss in the main run", least=0)
    augment = setting(
        "all", "all (eight orientations), flip (left to right only) or none", choices=("all", "flip", "none")
    )
    center_crop = setting(0, "side of the center crop for validation, in pixels; 0 uses whole photos", least=0)


class Smoke(ContentLoss):
    description = "the same code in seconds, for CI"
    source = "this course"

    iters = 12
    start = "01_srresnet/smoke"
    size = "tiny"
    photos = "astronaut"
    validate_every = 12
    batch = 4
    patch = 32


class Paper(ContentLoss):
    description = "SRResNet with VGG22 features and without a GAN, as published; four training runs of a million steps"
    source = "Ledig et al. 2017, section 3"
    strict = True

    iters = 1_000_000
    start = ours("")
    network = "SRResNet"
    size = ours("paper")
    batch = 16
    patch = 96
    learning_rate = 0.0001
    schedule = "constant"
    features = "vgg19 relu2_2"
    relative = False
    validate_every = ours(5000)


class Gpu(ContentLoss):
    description = "four training runs of MSRResNet with 16 blocks of 64 features on a GPU"
    source = "this course"
    without_weights = {"features": "vgg6 relu1_2 relu2_2"}

    iters = 50_000
    start = ""
    size = "paper"
    batch = 32
    patch = 96
    learning_rate = 0.00025
    features = "vgg19 relu2_2"
    validate_every = 2000


RECIPES = {"laptop": ContentLoss, "smoke": Smoke, "paper": Paper, "gpu": Gpu}


def auto(machine):
    """Return the recipe for a machine, a number of steps, and the photos."""
    return "gpu" if machine.trains_long else "laptop"
