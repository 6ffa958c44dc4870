"""Settings and recipes of the extra confidence."""

from srlab_course.lab.settings import setting
from srlab_course.lab.shared_settings import SmallLab


class Confidence(SmallLab):
    description = "about half a minute on two CPU cores"
    source = "this course"

    photos = setting("astronaut", "held-out photos, on which no network here was trained")
    tiny_steps = setting(200, "steps of each tiny discriminator in section 1", least=10)
    steps = setting(60, "steps of each discriminator in section 2", least=2)


class Smoke(Confidence):
    description = "the same code in seconds, for CI"
    source = "this course"

    tiny_steps = 20
    steps = 4


RECIPES = {"laptop": Confidence, "smoke": Smoke}
