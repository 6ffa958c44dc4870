"""Two photos with the same LR, for lab 00's first screen: the astronaut, and the published network's idea of her."""

from functools import partial

import srlab
from benchmarks.openings.strips import write
from srlab.data.resampling import resize
from srlab.exercises.degradation.back_project import back_project
from srlab.view.plots import cut

if __name__ == "__main__":
    hr = srlab.mod_crop(srlab.photos("validation")["astronaut"], 4)
    lr = srlab.downsample(hr, 4)
    other = srlab.upscale(srlab.load_published(), lr)
    down, up = partial(resize, factor=1 / 4), partial(resize, factor=4)
    for _ in range(50):  # until it agrees with LR
        other = back_project(other, lr, down, up).clamp(0, 1)
    apart = 255 * (srlab.downsample(other, 4) - lr).abs()
    print(f"their LR differ by {apart.mean():.2f} levels on average")
    small = srlab.upsample(lr, 4, "nearest")
    pictures = {"a photo": hr, "another photo": other, "LR of both": small}
    boxes = (56, 160, 104, 120), (330, 104, 104, 120)  # her face, and the badge
    print(write("00_degradation", [{label: cut(one, box) for label, one in pictures.items()} for box in boxes]))
