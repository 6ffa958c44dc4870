"""Settings and recipes of the extra from_the_paper."""

from srlab_course.lab.lab import Lab
from srlab_course.lab.settings import parameter, setting


class FromThePaper(Lab):
    description = "a few seconds"
    source = "this course"

    device = parameter("cpu")

    photos = setting("text chelsea", "held-out photos; must include text and chelsea")


class Smoke(FromThePaper):
    description = "the same, for CI"
    source = "this course"

    photos = "text chelsea"


RECIPES = {"laptop": FromThePaper, "smoke": Smoke}
