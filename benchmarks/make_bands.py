"""Makes the band of healthy runs of a lab, which `srlab.diagnose` holds other runs against.

    papermill notebooks/03_srgan.ipynb out.ipynb -p run healthy0 -p seed 0       # and so on with other seeds
    python benchmarks/make_bands.py 03_srgan runs/03_srgan/healthy*              # writes srlab/healthy/03_srgan.json

The runs must be those of the lab's defaults, and healthy: look at their pictures first.
"""

import argparse
import json
from pathlib import Path

from srlab.base.files import write_atomic
from srlab.training.bands import BANDS, make_band
from srlab.training.diagnosis import run_at


def main() -> None:
    """Write the band."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lab", help="name of the lab that the runs are of")
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs that differ in their seed")
    options = parser.parse_args()
    band = make_band([run_at(path) for path in options.runs])
    if band["lab"] != options.lab:
        parser.error(f"these are runs of {band['lab']}")
    file = BANDS / f"{options.lab}.json"
    write_atomic(file, (json.dumps(rounded(band)) + "\n").encode())
    print(f"{file}: {len(options.runs)} runs, {len(band['curves'])} curves")


def rounded(value: object) -> object:
    """The same with numbers of four digits."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
