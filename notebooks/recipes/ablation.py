"""Settings and recipes of the extra ablation."""

from srlab_course.lab.settings import setting
from srlab_course.lab.shared_settings import SmallLab


class Ablation(SmallLab):
    description = "about a minute on two CPU cores"
    source = "this course"

    photos = setting("astronaut chelsea text brick", "held-out photos, on which no network here was trained")
    steps = setting(250, "steps of each short training run", least=1)
    seeds = setting(3, "number of seeds per variant", least=1)


class Smoke(Ablation):
    description = "the same code in seconds, for CI"
    source = "this course"

    photos = "astronaut"
    steps = 2
    seeds = 1


RECIPES = {"laptop": Ablation, "smoke": Smoke}
