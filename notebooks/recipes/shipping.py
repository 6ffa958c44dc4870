"""Settings and recipes of the extra shipping."""

from srlab_course.lab.settings import parameter, setting
from srlab_course.lab.shared_settings import SmallLab


class Shipping(SmallLab):
    description = "about a minute on two CPU cores"
    source = "this course"

    generator = parameter("msrresnet")

    photos = setting("astronaut chelsea text brick", "held-out photos to score; must include astronaut")
    side = setting(96, "side of the crop in section 4, in LR pixels", least=48)
    repeats = setting(5, "timed runs per file; the latency is their median", least=1)


class Smoke(Shipping):
    description = "the same code in seconds, for CI"
    source = "this course"

    photos = "astronaut text"
    side = 72
    repeats = 1


RECIPES = {"laptop": Shipping, "smoke": Smoke}
