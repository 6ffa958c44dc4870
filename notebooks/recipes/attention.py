"""Settings and recipes of the extra attention."""

from srlab_course.lab.lab import Lab
from srlab_course.lab.settings import parameter, setting


class Attention(Lab):
    description = "two minutes on two CPU cores"
    source = "this course"

    run = parameter("")
    images = parameter("")
    ready = parameter("")
    precision = parameter("auto")

    iters = setting(400, "training steps of each network", least=0, cell=0)
    batch = setting(4, "patches per step", least=1)
    patch = setting(96, "side of an HR patch in pixels", least=32)
    features = setting(32, "features of both networks; a multiple of the heads", least=1)
    num_blocks = setting(4, "residual blocks of MSRResNet", least=1)
    layers = setting(6, "layers of attention, with plain and shifted windows in turn", least=1)
    heads = setting(4, "attentions next to each other in a layer", least=1)
    window = setting(8, "side of a window in LR pixels", least=2)
    # 80 makes the numbers of parameters equal, within 2 %.
    hidden = setting(80, "features inside the part of a layer that changes each pixel separately", least=1)
    learning_rate = setting(0.001, "peak learning rate of Adam", least=0)
    photos = setting("astronaut chelsea text brick", "held-out photos to score")


class Smoke(Attention):
    description = "the same code in seconds, for CI"
    source = "this course"

    iters = 2
    batch = 2
    photos = "astronaut brick"


class Gpu(Attention):
    description = "longer training on larger patches; pass your folder of photos with -p images"
    source = "this course"

    iters = 20_000
    batch = 16
    patch = 192


RECIPES = {"laptop": Attention, "smoke": Smoke, "gpu": Gpu}
