"""Settings and recipes of lab 04: -p recipe NAME chooses a recipe, -p NAME VALUE changes a setting."""

from srlab.losses import PIXEL_LOSSES
from srlab_course.lab.settings import ours, parameter, setting
from srlab_course.lab.shared_settings import DegradedLab, GanLab
from srlab_course.lab.sizes import SIZES


class ESRGAN(GanLab, DegradedLab):
    description = "a small network, minutes on two CPU cores"
    source = "this course, tuned on two cores"
    without_weights = {"features": "vgg6 conv2_2", "content_weight": 0.02}  # conv3_1 causes ripples next to edges

    images = parameter("")
    validation = parameter("", smallest=48)
    photo = parameter("", smallest=64)
    backbone = parameter("auto")
    scale = parameter(4, choices=(2, 4, 8), answers_follow=False)

    iters = setting(800, "number of steps of the GAN stage", least=0, cell=0)
    start = setting("bundled", 'bundled (RRDBNet, if it has this size and scale); "" trains the PSNR stage in the lab')
    pretrain_iters = setting(600, "steps of the PSNR stage; 0 skips it, as in ESRDGAN", least=0)
    continued_iters = setting(
        600, "steps of each training run of section 5, on clean and on degraded LR images", least=1
    )
    size = setting("laptop", "size of the generator, tiny, laptop or paper (23 blocks of 64 features)", choices=SIZES)
    num_blocks = setting(0, "number of RRDBs; 0 for the default of the size", least=0)
    num_features = setting(0, "number of features of the generator; 0 for the default of the size", least=0)
    growth = setting(0, "channels that each convolution of a dense block adds; 0 for the default of the size", least=0)
    fusion = setting(
        3, "kernel size of the last convolution of a dense block, 3 or 1", choices=(3, 1), answers_follow=False
    )
    residual_scale = setting(0.2, "factor for every residual", answers_follow=False)
    checkpointing = setting(
        False, "recompute activations in the backward pass, which saves memory and costs time", answers_follow=False
    )
    patch = 32  # with 64, the same steps take more than twice as long and gain nothing
    features = setting(
        "vgg19 conv3_1", "network and layers of the content loss; conv is before the activation, relu after it"
    )  # conv3_1 causes ripples next to edges
    pixel = setting(
        "l1",
        "pixel loss in the GAN stage, a name in srlab.losses.PIXEL_LOSSES; the PSNR stage uses l1",
        choices=PIXEL_LOSSES,
    )
    adversarial_weight = setting(
        0.001,
        "weight of the adversarial loss (ragan is the sum of two halves, in BasicSR their mean); with 0, D does not "
        "affect G",
        least=0,
    )
    gan = "ragan"
    d_features = setting(
        0, "channels of D's first convolution; 0 for the default of its class", least=0, answers_follow=False
    )
    pretrain_rate = setting(
        0.0, "learning rate of the PSNR stage; 0 for 2e-3, or 2e-4 above 32 features, where 2e-3 diverges", least=0
    )
    ema = 0.996  # an average over many steps, because with fewer a fluctuating pattern shows
    milestones: list[int] = setting([], "steps at which the learning rates are halved; an empty list means cosine")
    pretrain_milestones: list[int] = setting([], "the same for the PSNR stage; an empty list means one cycle")
    instance_noise_until = setting(1.0, "fraction of the run after which the instance noise is 0")
    validate_every = 200
    min_progress = setting(1.0, "smallest PSNR gain of the PSNR stage over its initialization, in dB, for the claims")
    max_psnr_drop = 0.9


class Photos(ESRGAN):
    description = "many kinds of photos instead of one subject"
    source = "this course, tuned on two cores"
    without_weights = {"features": "vgg6 conv2_2", "content_weight": 0.05}  # conv3_1 causes ripples next to edges

    iters = 280
    start = ""
    pretrain_iters = 600
    patch = 64
    pixel = "mse"
    pixel_weight = 5.0
    content_weight = 0.1
    adversarial_weight = 0.0007
    learning_rate = 0.0004
    discriminator_rate = 0.0003
    ema = 0.95
    instance_noise = 0.0
    subject = ""
    validate_every = 280


class Smoke(ESRGAN):
    description = "the same code in seconds, for CI"
    source = "this course"

    iters = 10
    start = ""
    pretrain_iters = 40
    continued_iters = 4
    size = "tiny"
    photos = "astronaut"
    batch = 4
    validate_every = 40
    min_progress = 0.05


class Paper(ESRGAN):
    description = "ESRGAN as published"
    source = "Wang et al. 2018, section 4.1"
    # The adversarial loss is the sum of its two halves, as in equations 1 and 2. The released code and BasicSR take
    # their mean, so a weight of 0.005 here counts as much as 0.01 there.
    # Wang et al. do not average the weights; 0.999 is from BasicSR. Their PSNR stage uses patches of 192 px; here, both
    # stages use 128, as in BasicSR's option files.
    strict = True
    without_weights = {}

    iters = 400_000
    start = ours("")
    pretrain_iters = 1_000_000
    size = "paper"
    instance_noise = 0.0
    subject = ""
    num_blocks = 0
    num_features = 0
    growth = 0
    fusion = 3
    residual_scale = 0.2
    batch = 16
    patch = 128
    features = "vgg19 conv5_4"
    relative = False
    max_shift = 0
    pixel = "l1"
    pixel_weight = 0.01
    content_weight = 1.0
    adversarial_weight = 0.005
    gan = "ragan"
    discriminator = "vgg"
    pretrain_rate = 0.0002
    learning_rate = 0.0001
    discriminator_rate = 0.0001
    betas = [0.9, 0.999]
    ema = ours(0.999)
    milestones = [50_000, 100_000, 200_000, 300_000]
    pretrain_milestones = [200_000, 400_000, 600_000, 800_000]
    validate_every = ours(5000)


class Article(Paper):
    description = "the ESRGAN article, Analytics Vidhya 2021; 23 blocks, from 64 px to 256 px"
    source = "the ESRGAN article"
    # It does not state steps, batch, D or a PSNR stage. The PSNR stage is from the paper, shortened.

    iters = ours(100_000)
    pretrain_iters = ours(100_000)
    patch = 256
    learning_rate = 0.0002
    discriminator_rate = 0.0002
    milestones = [1_000_000_000]  # after the last step, so the learning rate is constant
    pretrain_milestones = ours([20_000, 40_000, 60_000, 80_000])
    pretrain_rate = ours(0.0002)
    batch = ours(16)
    discriminator = ours("vgg")


class Esrdgan(Paper):
    description = (
        "ESRDGAN, Vesterkjaer 2019; 12 blocks of 128 features, no PSNR stage, LR by bicubic downscaling without "
        "antialiasing"
    )
    source = "ESRDGAN"
    # It also tried, without adopting: -p label_flip 0.1, -p fusion 1, -p downsampler nearest,
    # -p features "vgg19 conv1_2 conv5_4", -p image_noise "[0.01, 0.01]".

    iters = 100_000
    pretrain_iters = 0
    num_blocks = 12
    num_features = 128
    batch = 8
    content_weight = 0.1
    gan = "rgan"
    d_features = 96
    ema = 0.0
    milestones = [10_000, 20_000, 30_000, 40_000]
    label_real = 0.9
    instance_noise = 1.0
    instance_noise_until = 0.6
    g_every = 2
    downsampler = "bicubic-aliased"


class Blind(Paper):
    description = "the third model of blind face SR, for blurred, noisy and compressed photos of faces; no PSNR stage"
    source = "blind face SR"
    # All degradation strengths are ours, as in lab 01. A patch of 128 contains a whole eye of a face of 512 pixels:
    # smaller patches are suspected to damage eyes and teeth. This model did not enter the challenge, whose limit was
    # 1,821,085.

    iters = 150_000
    pretrain_iters = 0
    gan = "vanilla"
    milestones = [1_000_000_000]  # after the last step, so the learning rate is constant
    blur = ours([0.2, 3.0])
    image_noise = ours([0.0, 0.06])
    jpeg = ours([60, 95])
    color = "rgb"
    crop = 0
    validate_every = ours(5000)
    batch = ours(16)
    patch = ours(128)
    learning_rate = ours(0.0001)
    discriminator_rate = ours(0.0001)
    betas = ours([0.9, 0.999])


class GpuSmall(Paper):
    description = "RRDBNet-23 on a GPU with 7 to 30 GiB, such as a T4"
    source = "Wang et al. 2018, shortened"
    strict = False
    without_weights = {  # these losses were tested without ImageNet weights
        "features": "vgg6 conv2_2",
        "relative": True,
        "max_shift": 3,
        "pixel": "mse",
        "pixel_weight": 5.0,
        "content_weight": 0.05,
        "adversarial_weight": 0.0007,
        "discriminator": "patch",
    }

    iters = ours(100_000)
    pretrain_iters = ours(100_000)
    batch = ours(8)
    betas = ours([0.9, 0.99])
    milestones = ours([])  # a cosine per stage, which suits a shortened run better than late halvings
    pretrain_milestones = ours([])
    validate_every = ours(2000)


class Gpu(GpuSmall):
    description = "RRDBNet-23 on a GPU with 30 GiB or more, such as an A100 or H200"
    source = "Wang et al. 2018, shortened"

    batch = ours(32)


RECIPES = {
    "laptop": ESRGAN,
    "photos": Photos,
    "smoke": Smoke,
    "paper": Paper,
    "article": Article,
    "esrdgan": Esrdgan,
    "blind": Blind,
    "gpu-small": GpuSmall,
    "gpu": Gpu,
}


def auto(machine):
    """Return the recipe for a machine, a number of steps, and the photos."""
    if machine.trains_long and machine.memory_gib >= 30:
        return "gpu"
    if machine.trains_long and machine.memory_gib >= 7:
        return "gpu-small"
    return "photos" if machine.iters >= 2000 else "laptop"
