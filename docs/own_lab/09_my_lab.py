"""Settings and recipes of my lab: presets of hyperparameters, of which one must be called laptop, and one smoke.

srlab_course/lab/settings.py describes what `setting` and `parameter` take.
"""

from srlab_course.lab.lab import Lab
from srlab_course.lab.settings import parameter, setting


# The recipe laptop: each setting with its value on a laptop and a description. lab.batch is 8 in the notebook, and
# -p batch 16 changes it.
class MyLab(Lab):
    description = "a minute on a laptop"
    source = "this course"

    # Other names in the notebook's first cell, which has recipe, seed, device and overrides in every lab.
    run = parameter("")
    precision = parameter("auto")

    iters = setting(200, "training steps", cell=0)  # also in the first cell, where 0 means 200
    batch = setting(8, "patches per step", least=1)
    patch = setting(48, "side of an HR patch in pixels", least=16)
    loss_weight = setting(1.0, "weight of the MSE; -p loss_weight 2 changes it")
    photos = setting("astronaut chelsea", 'validation photos, from srlab.bundled_photos("validation")')


# Another recipe: only what differs.
class Smoke(MyLab):
    description = "a few steps, to test that it runs"
    source = "this course"

    iters = 4


RECIPES = {"laptop": MyLab, "smoke": Smoke}
