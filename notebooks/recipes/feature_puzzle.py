"""Settings and recipes of the extra feature_puzzle."""

from srlab_course.lab.settings import setting
from srlab_course.lab.shared_settings import SmallLab


class FeaturePuzzle(SmallLab):
    description = "about half a minute on two CPU cores"
    source = "this course"

    photos = setting("astronaut", "held-out photos, on which the network was not trained")
    steps = setting(300, "training steps of the network in section 2", least=2)


class Smoke(FeaturePuzzle):
    description = "the same code in seconds, for CI"
    source = "this course"

    steps = 4


RECIPES = {"laptop": FeaturePuzzle, "smoke": Smoke}
