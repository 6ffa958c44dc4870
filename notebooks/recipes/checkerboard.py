"""Settings and recipes of the extra checkerboard."""

from srlab_course.lab.settings import setting
from srlab_course.lab.shared_settings import SmallLab


class Checkerboard(SmallLab):
    description = "about half a minute on two CPU cores"
    source = "this course"

    photos = setting("astronaut", "held-out photos, on which no network here was trained")
    fresh_steps = setting(60, "steps of each new network in section 1", least=10)
    content_steps = setting(120, "steps of each training run in section 2", least=2)


class Smoke(Checkerboard):
    description = "the same code in seconds, for CI"
    source = "this course"

    fresh_steps = 10
    content_steps = 4


RECIPES = {"laptop": Checkerboard, "smoke": Smoke}
