"""A face and handwriting by lab 02's squared error and by its hybrid, for the lab's first screen."""

import srlab
from benchmarks.openings.strips import enlarged, write

RUNS = {"squared error": "default-ablation-mse", "another loss": "default-hybrid"}

if __name__ == "__main__":
    photos = srlab.photos("validation")
    networks = {label: srlab.load_generator("02_content_loss", run) for label, run in RUNS.items()}
    places = {"astronaut": (52, 172, 80, 124), "text": (30, 64, 80, 124)}
    print(write("02_content_loss", [enlarged(networks, photos[name], box) for name, box in places.items()]))
