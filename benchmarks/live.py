"""How fast `srlab.compare_live` answers: from a moved slider to the encoded pictures of a 128 px HR crop.

python benchmarks/live.py
"""

import statistics
import time
from collections.abc import Callable

import torch

import srlab
from srlab.view.live import MIX, LiveScene


def measure(scene: LiveScene, model: str, strength: Callable[[int], float], changes: int = 30) -> list[float]:
    """Milliseconds of each change; three more before them warm up."""
    times = []
    for change in range(changes + 3):
        start = time.perf_counter()
        scene.content("astronaut", model, (0.16, 0.44), strength(change))
        times.append(1000 * (time.perf_counter() - start))
    return times[3:]


def main() -> None:
    """Measure and print a table."""
    images = dict(iter(srlab.photos("validation").subset("astronaut")))
    torch.manual_seed(0)
    networks = {
        "MSRResNet 4x32": lambda: srlab.MSRResNet(4, 32),
        "SRResNet 16x64": srlab.SRResNet,
        "RRDBNet 23x64": srlab.RRDBNet,
    }
    print(f"128 px HR crop, {torch.get_num_threads()} threads; median and slowest of 30 changes")
    for name, build in networks.items():
        first, second = build().eval(), build().eval()
        blurs = LiveScene(images, {name: first}, degradation=lambda sigma: srlab.Degradation(blur=sigma))
        mixes = LiveScene(images, {MIX: first}, mix=(first, second))
        for what, scene, model in (("degradation", blurs, name), ("mixed weights", mixes, MIX)):
            times = measure(scene, model, lambda change: (change % 10) / 10)
            print(f"{name:15} {what:14} {statistics.median(times):5.0f} ms {max(times):5.0f} ms")


if __name__ == "__main__":
    main()
