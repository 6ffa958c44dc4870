"""Settings and recipes of the extra from_the_paper."""

from srlab_course.lab.settings import setting
from srlab_course.lab.shared_settings import SmallLab


class FromThePaper(SmallLab):
    description = "a few seconds"
    source = "this course"

    photos = setting("text chelsea", "held-out photos; must include text and chelsea")


class Smoke(FromThePaper):
    description = "the same, for CI"
    source = "this course"

    photos = "text chelsea"


RECIPES = {"laptop": FromThePaper, "smoke": Smoke}
