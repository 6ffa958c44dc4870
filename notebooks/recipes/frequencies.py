"""Settings and recipes of the extra frequencies."""

from srlab_course.lab.lab import Lab
from srlab_course.lab.settings import parameter, setting


class Frequencies(Lab):
    description = "a few seconds"
    source = "this course"

    photo = parameter("", smallest=160)

    photos = setting("astronaut", "held-out photos; must include astronaut")


class Smoke(Frequencies):
    description = "the same, for CI"
    source = "this course"

    photos = "astronaut"


RECIPES = {"laptop": Frequencies, "smoke": Smoke}
