"""Settings and recipes of the extra untrained_features."""

from srlab_course.lab.lab import Lab
from srlab_course.lab.settings import parameter, setting


class UntrainedFeatures(Lab):
    description = "under a minute on two CPU cores"
    source = "this course"

    device = parameter("cpu")

    photos = setting("astronaut chelsea text brick", "held-out photos, on which no network here was trained")
    steps = setting(200, "steps of each of the three training runs", least=1)


class Smoke(UntrainedFeatures):
    description = "the same code in seconds, for CI"
    source = "this course"

    photos = "astronaut"
    steps = 4


RECIPES = {"laptop": UntrainedFeatures, "smoke": Smoke}
