"""Settings and recipes of lab 00: -p recipe NAME chooses a recipe, -p NAME VALUE changes a setting."""

from srlab_course.lab.lab import Lab
from srlab_course.lab.settings import parameter, setting


class Degradation(Lab):
    description = "half a minute on two CPU cores"
    source = "this course"

    scale = parameter(4, choices=(2, 3, 4, 8))
    photo = parameter("", smallest=160)
    benchmark = parameter("")

    photos = setting("astronaut chelsea text brick", "photos for the tables; must include astronaut")


class Smoke(Degradation):
    description = "the same code in seconds, for CI"
    source = "this course"

    photos = "astronaut"


RECIPES = {"laptop": Degradation, "smoke": Smoke}
