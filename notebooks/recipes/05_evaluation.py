"""Settings and recipes of lab 05: -p recipe NAME chooses a recipe, -p NAME VALUE changes a setting."""

from srlab_course.lab.lab import Lab
from srlab_course.lab.settings import parameter, setting


class Evaluation(Lab):
    description = "two minutes on two CPU cores"
    source = "this course"

    runs = parameter("all")
    lpips = parameter("auto")
    run = parameter("")

    photos = setting(
        "astronaut chelsea text brick", "held-out photos for comparing the methods; must include astronaut"
    )
    crops = setting(6, "crops per photo in section 4", least=1)


class Smoke(Evaluation):
    description = "the same code in seconds, for CI"
    source = "this course"

    photos = "astronaut"


class Paper(Evaluation):
    description = "more crops per photo"
    source = "this course"

    crops = 10


RECIPES = {"laptop": Evaluation, "smoke": Smoke, "paper": Paper}
