"""An eye and a badge by four methods under letters, for lab 05's first screen."""

import srlab
from benchmarks.openings.strips import enlarged, write

# The lab's first section says these letters.
LETTERS = {"A": "SRGAN", "B": "bicubic", "C": "RealESRGAN", "D": "MSRResNet"}
PLACES = {"chelsea": (80, 120, 96, 140), "astronaut": (332, 96, 96, 140)}

if __name__ == "__main__":
    networks = srlab.load_shipped() | {"RealESRGAN": srlab.load_published()}
    networks["bicubic"] = lambda lr: srlab.upsample(lr, 4)
    unnamed = {letter: networks[method] for letter, method in LETTERS.items()}
    rows = []
    for name, box in PLACES.items():
        row = enlarged(unnamed, srlab.photos("validation")[name], box)
        del row["HR"]
        rows.append(row)
    print(write("05_evaluation", rows))
