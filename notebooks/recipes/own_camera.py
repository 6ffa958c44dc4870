"""Settings and recipes of the extra own_camera."""

from srlab_course.lab.lab import Lab
from srlab_course.lab.settings import parameter, setting


class OwnCamera(Lab):
    description = "three minutes on two CPU cores"
    source = "this course"

    run = parameter("")
    images = parameter("")
    photo = parameter("", smallest=64)
    precision = parameter("auto")

    iters = setting(200, "training steps of each network", least=0, cell=0)
    batch = setting(8, "patches per step", least=1)
    patch = setting(64, "side of an HR patch in pixels", least=32)
    photos = setting("astronaut chelsea text brick", "held-out photos for the table")
    center_crop = setting(192, "side of the center crop of each held-out photo in pixels; 0 uses whole photos", least=0)
    draws = setting(3, "draws of each random degradation in the table", least=1)


class Smoke(OwnCamera):
    description = "the same code in seconds, for CI"
    source = "this course"

    iters = 2
    batch = 2
    photos = "astronaut"
    center_crop = 96
    draws = 1


class Gpu(OwnCamera):
    description = "longer training on larger patches; pass your folder of photos with -p images"
    source = "this course"

    iters = 20_000
    batch = 16
    patch = 128
    center_crop = 0


RECIPES = {"laptop": OwnCamera, "smoke": Smoke, "gpu": Gpu}
