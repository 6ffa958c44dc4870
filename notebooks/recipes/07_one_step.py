"""Settings and recipes of lab 07: -p recipe NAME chooses a recipe, -p NAME VALUE changes a setting."""

from srlab_course.lab.settings import parameter, setting
from srlab_course.lab.shared_settings import FlowLab
from srlab_course.lab.sizes import FLOW_SIZES


class OneStep(FlowLab):
    description = "one to two minutes of training on two CPU cores"
    source = "this course, tuned on two cores"

    teacher = parameter("")
    images = parameter("")
    validation = parameter("", smallest=64)

    iters = setting(300, "total number of training steps of each one-step network", least=0, cell=0)
    pool = setting(8, "samples that the teacher draws for each training photo", least=2)
    pool_crop = setting(
        0, "side of the center crop of each training photo for which it draws, in pixels; 0 uses whole photos", least=0
    )
    steps = setting(
        10, "steps of Heun's method per sample of the teacher; each runs the network twice, except the last", least=1
    )
    teacher_iters = setting(1000, "training steps of a flow, if no run of lab 06 is found", least=1)
    network = setting("FlowNet", "FlowNet, which the teacher is", choices=("FlowNet",))
    size = setting(
        "laptop",
        "size of a teacher that is trained here, tiny, laptop or paper (16 blocks of 128 features)",
        choices=FLOW_SIZES,
    )
    batch = setting(16, "crops per step", least=1)
    patch = setting(48, "side of a crop in HR pixels", least=24)
    border = setting(8, "pixels on each side of a crop that the loss leaves out", least=1)
    ring_iters = setting(1500, "training steps on the ring, of the flow and of each one-step network", least=1)
    validate_every = 1000


class Smoke(OneStep):
    description = "the same code in seconds, for CI"
    source = "this course"

    iters = 4
    pool = 2
    pool_crop = 64
    steps = 2
    teacher_iters = 4
    size = "tiny"
    batch = 4
    ring_iters = 20
    samples = 4
    photos = "astronaut"
    validate_every = 10


class Gpu(OneStep):
    description = "a one-step network from lab 06's flow of 16 blocks, on a GPU (untested)"
    source = "this course"

    iters = 20_000
    subject = ""
    pool = 2
    pool_crop = 384
    teacher_iters = 20_000
    size = "paper"
    batch = 64
    patch = 96
    border = 16
    learning_rate = 0.0005
    ema = 0.999
    center_crop = 256
    validate_every = 2000


RECIPES = {"laptop": OneStep, "smoke": Smoke, "gpu": Gpu}


def auto(machine):
    """Return the recipe for a machine, a number of steps, and the photos."""
    return "gpu" if machine.trains_long else "laptop"
