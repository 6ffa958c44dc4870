"""Settings and recipes of the extra four_sick_runs."""

from srlab_course.lab.settings import setting
from srlab_course.lab.shared_settings import SmallLab


class FourSickRuns(SmallLab):
    description = "about two minutes on two CPU cores"
    source = "this course"

    photos = setting("astronaut chelsea text brick", "held-out photos, on which no network here was trained")
    rate_steps = setting(100, "steps of each of the four healthy runs in section 1", least=5)
    steps = setting(180, "steps of Projects A, B and C", least=20)
    gan_steps = setting(260, "steps of Project D, with 120 before the GAN", least=140)


class Smoke(FourSickRuns):
    description = "the same code in seconds, for CI"
    source = "this course"

    rate_steps = 5
    steps = 20
    gan_steps = 140


RECIPES = {"laptop": FourSickRuns, "smoke": Smoke}
