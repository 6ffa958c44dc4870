"""Settings and recipes of lab 08: -p recipe NAME chooses a recipe, -p NAME VALUE changes a setting."""

from srlab_course.lab.lab import Lab
from srlab_course.lab.settings import parameter, setting


class Enhance(Lab):
    description = "half a minute on two CPU cores"
    source = "this course"

    runs = parameter("all")
    series = parameter("")

    photos = setting("astronaut", "the photo with the badge")
    noise = setting(1.0, "standard deviation of the noise of each photo in gray levels", least=0)
    steps = setting(40, "steps of back-projection toward all photos", least=1)
    samples = setting(8, "samples of the one-step network for each LR image", least=2)
    splits = setting(200, "random splits of the patches on which the promise is tested", least=1)


class Smoke(Enhance):
    description = "the same code in seconds, for CI"
    source = "this course"

    steps = 3
    samples = 2
    splits = 5


RECIPES = {"laptop": Enhance, "smoke": Smoke}
