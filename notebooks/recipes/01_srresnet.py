"""Settings and recipes of lab 01: -p recipe NAME chooses a recipe, -p NAME VALUE changes a setting."""

from srlab.losses import PIXEL_LOSSES
from srlab.training.schedules import SCHEDULES
from srlab_course.lab.settings import ours, parameter, setting
from srlab_course.lab.shared_settings import DegradedLab
from srlab_course.lab.sizes import SIZES, TRAINED_ON_PAIRS


class SRResNet(DegradedLab):
    description = "two to three minutes on two CPU cores"
    source = "this course, tuned on two cores"

    images = parameter("")
    validation = parameter("", smallest=24)
    benchmark = parameter("")
    photo = parameter("", smallest=64)
    scale = parameter(4, choices=(2, 3, 4, 8))

    iters = setting(1000, "total number of training steps", least=0, cell=0)
    network = setting(
        "MSRResNet",
        "MSRResNet; SRResNet as in the paper, with batch norm; or ESRGAN's RRDBNet",
        choices=TRAINED_ON_PAIRS,
    )
    size = setting("laptop", "size of the network, tiny, laptop or paper (16 blocks of 64 features)", choices=SIZES)
    num_blocks = setting(0, "number of residual blocks, or of RRDBs in RRDBNet; 0 for the default of the size", least=0)
    loss = setting(
        "mse",
        "name of a pixel loss in srlab.losses.PIXEL_LOSSES, such as mse, l1 or charbonnier",
        choices=PIXEL_LOSSES,
        answers_follow=False,
    )
    patch = 96
    learning_rate = setting(
        0.0,
        "peak learning rate of Adam; 0 chooses it from the loss and the features, see rate_for in section 3",
        least=0,
    )
    max_gradient = setting(
        0.04,
        "largest norm of the MSE's gradient, a longer one is clipped; 0 for no limit, which other losses never have",
        least=0,
    )
    schedule = setting(
        "onecycle", "learning-rate schedule, a name in SCHEDULES; constant in the paper", choices=SCHEDULES
    )
    validate_every = 250
    first_patch = setting(32, "side of the HR patches in the short runs of section 2", least=1)


class Smoke(SRResNet):
    description = "the same code in seconds, for CI"
    source = "this course"

    iters = 60
    size = "tiny"
    photos = "astronaut"
    validate_every = 60
    batch = 4
    patch = 64


class Paper(SRResNet):
    description = "SRResNet as published, with MSE"
    source = "Ledig et al. 2017, section 3.2"
    strict = True

    iters = 1_000_000
    network = "SRResNet"
    size = ours("paper")
    batch = 16
    patch = 96
    learning_rate = 0.0001
    max_gradient = 0.0
    schedule = "constant"
    validate_every = ours(5000)


class Blind(SRResNet):
    description = "the first model of blind face SR, for blurred, noisy and compressed photos of faces"
    source = "blind face SR"
    # Stated in the source: the network and its limit, L1, the steps, the order of the degradation, and the scores. A
    # patch of 128 contains a whole eye of a face of 512 pixels: smaller patches are suspected to damage eyes and teeth.
    strict = True

    iters = 150_000
    size = ours("paper")
    parameter_limit = 1_821_085
    loss = "l1"
    batch = ours(16)
    patch = ours(128)
    learning_rate = ours(0.0001)
    max_gradient = ours(0.0)
    schedule = ours("constant")
    blur = ours([0.2, 3.0])
    image_noise = ours([0.0, 0.06])
    jpeg = ours([60, 95])
    color = "rgb"
    crop = 0
    validate_every = ours(5000)


class Gpu(SRResNet):
    description = "MSRResNet with 16 blocks of 64 features on a GPU"
    source = "this course"

    iters = 100_000
    size = "paper"
    batch = 32
    max_gradient = 0.0
    validate_every = 2000


RECIPES = {"laptop": SRResNet, "smoke": Smoke, "paper": Paper, "blind": Blind, "gpu": Gpu}


def auto(machine):
    """Return the recipe for a machine, a number of steps, and the photos."""
    return "gpu" if machine.trains_long else "laptop"
