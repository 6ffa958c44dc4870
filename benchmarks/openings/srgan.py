"""Gravel that no training has seen, for a first screen: by lab 03's start, by SRGAN after 12,000 steps, and HR."""

import srlab
from benchmarks.openings.strips import write
from srlab.course import kept
from srlab.view.plots import cut

BOX = (248, 40, 260, 188)  # top, left, height, width in HR pixels

if __name__ == "__main__":
    hr = srlab.mod_crop(srlab.halves("gravel")[1]["gravel"], 4)
    pictures = {
        "squared error": srlab.upscale(srlab.load_shipped()["MSRResNet"], srlab.downsample(hr, 4)),
        "SRGAN": kept.picture("srgan_12000"),
        "HR": hr,
    }
    print(write("03_srgan", [{label: cut(picture, BOX) for label, picture in pictures.items()}]))
