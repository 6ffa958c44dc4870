"""Handwriting and gravel by bicubic and by lab 01's network, for the lab's first screen."""

import srlab
from benchmarks.openings.strips import enlarged, write

if __name__ == "__main__":
    upscalers = {
        "LR": lambda lr: srlab.upsample(lr, 4, "nearest"),
        "bicubic": lambda lr: srlab.upsample(lr, 4),
        "network": srlab.load_generator("01_srresnet", "default"),
    }
    writing, stones = srlab.photos("validation")["text"], srlab.halves("gravel")[1]["gravel"]
    rows = [enlarged(upscalers, writing, (20, 60, 96, 140)), enlarged(upscalers, stones, (160, 80, 96, 140))]
    print(write("01_srresnet", rows))
