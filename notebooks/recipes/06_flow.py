"""Settings and recipes of lab 06: -p recipe NAME chooses a recipe, -p NAME VALUE changes a setting."""

from srlab_course.lab.settings import parameter, setting
from srlab_course.lab.shared_settings import FlowLab


class Flow(FlowLab):
    description = "about three minutes of training on two CPU cores"
    source = "this course, tuned on two cores"

    images = parameter("")
    validation = parameter("", smallest=64)

    iters = setting(3000, "total number of training steps on photos", least=0, cell=0)
    num_features = setting(0, "number of features of each block; 0 for the default of the size", least=0)
    patch = setting(48, "side of an HR patch in pixels", least=16)
    learning_rate = 0.002
    ema = 0.997
    validate_every = 1000


class Smoke(Flow):
    description = "the same code in seconds, for CI"
    source = "this course"

    iters = 10
    size = "tiny"
    ring_iters = 20
    steps = 2
    samples = 4
    batch = 4
    photos = "astronaut"
    validate_every = 10


class Gpu(Flow):
    description = "a flow with 16 blocks of 128 features on a GPU"
    source = "this course"

    iters = 100_000
    subject = ""
    size = "paper"
    batch = 64
    patch = 96
    learning_rate = 0.0005
    ema = 0.999
    center_crop = 256
    validate_every = 2000


RECIPES = {"laptop": Flow, "smoke": Smoke, "gpu": Gpu}


def auto(machine):
    """Return the recipe for a machine, a number of steps, and the photos."""
    return "gpu" if machine.trains_long else "laptop"
