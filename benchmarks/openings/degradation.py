"""The riddle of lab 00's first screen: a photo of a cat, and a photo that a network made up from the same LR."""

from functools import partial

import srlab
from benchmarks.openings.strips import write
from srlab.course.exercises.degradation.back_project import back_project
from srlab.data.resampling import resize
from srlab.view.plots import cut

# Places as (top, left, height, width) in HR pixels, and the column in which each has the photo. The last section of the
# lab says these letters.
ROWS = {
    "an eye": ((76, 108, 80, 124), "B"),
    "the nose": ((200, 196, 80, 124), "A"),
    "the other eye": ((96, 252, 80, 124), "B"),
}

if __name__ == "__main__":
    hr = srlab.mod_crop(srlab.photos("validation")["chelsea"], 4)
    lr = srlab.downsample(hr, 4)
    other = srlab.upscale(srlab.load_published(), lr)
    down, up = partial(resize, factor=1 / 4), partial(resize, factor=4)
    for _ in range(50):  # until it agrees with LR
        other = back_project(other, lr, down, up).clamp(0, 1)
    apart = 255 * (srlab.downsample(other, 4) - lr).abs()
    print(f"their LR differ by {apart.max():.0f} levels at most, at {(apart > 0.5).sum()} of {apart.numel()} values")
    small = srlab.upsample(lr, 4, "nearest")
    rows = []
    for box, column in ROWS.values():
        pair = (hr, other) if column == "A" else (other, hr)
        rows.append({label: cut(one, box) for label, one in zip(("LR", "A", "B"), (small, *pair), strict=True)})
    print(write("00_degradation", rows))
