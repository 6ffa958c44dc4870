"""Settings and recipes of the extra untrained_features."""

from srlab_course.lab.settings import setting
from srlab_course.lab.shared_settings import SmallLab


class UntrainedFeatures(SmallLab):
    description = "under a minute on two CPU cores"
    source = "this course"

    photos = setting("astronaut chelsea text brick", "held-out photos, on which no network here was trained")
    steps = setting(200, "steps of each of the three training runs", least=1)


class Smoke(UntrainedFeatures):
    description = "the same code in seconds, for CI"
    source = "this course"

    photos = "astronaut"
    steps = 4


RECIPES = {"laptop": UntrainedFeatures, "smoke": Smoke}
