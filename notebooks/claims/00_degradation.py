"""What lab 00 says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after 72c9c9b2
far = {name: row["levels off"] for name, row in rows.items()}
average = ("yours", "the same, antialias=True", "Pillow, BICUBIC")
first = "hr[..., ::s, ::s]"
others = (first, "F.interpolate(bicubic)")
lab.expect(max(far[name] for name in average) < 0.5, "who averages first makes LR as MATLAB does")
if scale > 2:
    lab.expect(min(far[name] for name in others) > 2, "the others are far from it")
    unstretched = resampling.resize(hr, 1 / scale, antialias=False).clamp(0, 1)
    missed = 255 * (unstretched - lr).abs().mean().item()
    share = missed / far["F.interpolate(bicubic)"]
    lab.expect(share > 0.85, "most of PyTorch's distance isn't from its other cubic kernel")
if scale == 4:
    ahead = {name: row["network, dB"] - row["bicubic, dB"] for name, row in rows.items()}
    lab.expect(min(ahead[name] for name in average) > 1.5, "the network is two decibels ahead")
    lab.expect(max(ahead[name] for name in others) < 0, "and behind where nobody averaged")
    for score in ("bicubic, dB", "network, dB"):
        worst_of_all = min(rows, key=lambda name: rows[name][score])
        lab.expect(worst_of_all == first, f"indexing is worst: {score}")

# %% after 1aacacf1
ranked = means.set_index("method").psnr
if scale == 4 and not known:
    lab.expect(list(ranked.sort_values().index) == list(methods), "nearest, bicubic, network")

# %% after f2c450a7
lab.expect(apart < 0.01, "both have the same LR image")
lab.expect((hr - other).abs().max() > 0.1, "the twin is clearly another image")
lab.expect((other - other.clamp(0, 1)).abs().max() < 1e-5, "the twin is a possible photo")

# %% after e25d0565
usual, true, after_blur = scores.values()
lab.expect(true > usual + 0.8, "agreeing with LR gains nearly a decibel")
lab.expect(after_blur < usual, "a wrong assumption is worse than doing nothing")
lab.expect(min(off, key=off.get) == "bicubic (true)", "only the truth agrees with LR")

# %% after dcdefae0
lab.expect(max(levels.values()) < 0.015, "all become this LR, to a hundredth of a level")
lab.expect((its_twin - middle).abs().mean() > 2 / 255, "the twin is another picture")
from srlab.base import places

page = srlab.read_image(str(places.recipes().parent / "pictures" / "00_degradation.jpg"))[None]
found = []
for line, (row, column) in enumerate(((76, 108), (200, 196), (96, 252))):
    parts = {letter: page[..., 34 + 248 * line :, x:] for letter, x in {"A": 380, "B": 760}.items()}
    crops = {letter: F.avg_pool2d(part[..., :240, :372], 3) for letter, part in parts.items()}
    there = cat[..., row : row + 80, column : column + 124]
    gaps = {letter: (crop - there).abs().mean().item() for letter, crop in crops.items()}
    found.append(min(gaps, key=gaps.get))
    lab.expect(
        min(gaps.values()) < 0.5 * max(gaps.values()), f"row {line}: one is clearly the photo"
    )
lab.expect(" ".join(found) == "B A B", "the photo is B, A, B")

# %% after 2c8a5be1
if lab.recipe == "laptop":
    for name, (_, errors) in falling.items():
        if name in taught:
            lab.expect(sum(errors[-3:]) < 0.95 * sum(errors[:3]), f"the loss falls: {name}")
    ends = {name: sum(errors[-3:]) for name, (_, errors) in falling.items()}
    if scale == 4:
        right, apart_too = ends["bicubic, right pairs"], ends["bicubic, a pixel apart"]
        lab.expect(ends["right pairs"] < 0.98 * right, "right pairs end below bicubic")
        lab.expect(ends["a pixel apart"] < 0.9 * apart_too, "slipped ones below bicubic on them")
        lab.expect(apart_too > 2 * right, "on slipped pairs bicubic itself does badly")

# %% after 9e0d47c3
if lab.recipe == "laptop" and scale == 4:
    over = {name: score - reached["bicubic"] for name, score in reached.items()}
    lab.expect(0.5 < over["right pairs"] < 0.8, "a layer beats bicubic by more than half a decibel")
    projected = srlab.psnr(results["bicubic (true)"], hr).item()
    lab.expect(projected > reached["right pairs"], "back-projection got a little further")
    lab.expect(-5 < over["a pixel apart"] < -3, "slipped pairs end four decibels behind bicubic")
    spread = (sums.max() - sums.min()).item()
    lab.expect(0.015 < spread < 0.06, "the weights of some kernels add up to a few percent more")

# %% after d3fc6a70
sizes = {name: field.square().mean().item() for name, field in checked.items()}
lab.expect(sizes["a pixel apart"] > 3 * sizes["right pair"], "much more is left of a slipped pair")

# %% after f86dc12a
if scale == 4:
    alone = {name: scores[name] for name in ("blur 2 px", "noise 0.05", "JPEG 30")}
    lab.expect(min(alone, key=alone.get) == "JPEG 30", "JPEG costs most")
lab.expect(scores["all of them"] == min(scores.values()), "all damages together cost most")

# %% after 3fd5a002
decibels_of = {name: float(note.split()[0]) for name, note in notes.items()}
best = max(decibels_of, key=decibels_of.get)
lab.expect(best == "RealESRGAN", "here RealESRGAN has the best score")
