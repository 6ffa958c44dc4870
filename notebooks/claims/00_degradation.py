"""What lab 00 claims about its results; srlab/course/claims.py explains how these blocks run."""

# %% after 72c9c9b2
far = {name: row["levels off"] for name, row in rows.items()}
average = ("yours", "the same, antialias=True", "Pillow, BICUBIC")
first = "hr[..., ::s, ::s]"
others = (first, "F.interpolate(bicubic)")
lab.expect(
    "LR made with antialiasing is within half a level of MATLAB's",
    max(far[name] for name in average) < 0.5,
)
if scale > 2:
    lab.expect(
        "LR made without antialiasing is more than two levels off",
        min(far[name] for name in others) > 2,
    )
    unstretched = resampling.resize(hr, 1 / scale, antialias=False).clamp(0, 1)
    missed = 255 * (unstretched - lr).abs().mean().item()
    share = missed / far["F.interpolate(bicubic)"]
    lab.expect("most of PyTorch's distance comes from missing antialiasing", share > 0.85)
if scale == 4:
    ahead = {name: row["network, dB"] - row["bicubic, dB"] for name, row in rows.items()}
    lab.expect(
        "the bundled network beats bicubic by 1.5 dB on antialiased LR",
        min(ahead[name] for name in average) > 1.5,
    )
    lab.expect(
        "the bundled network is behind bicubic on aliased LR",
        max(ahead[name] for name in others) < 0,
    )
    for score in ("bicubic, dB", "network, dB"):
        worst_of_all = min(rows, key=lambda name: rows[name][score])
        lab.expect(f"LR by indexing gives the lowest PSNR ({score})", worst_of_all == first)

# %% after 1aacacf1
ranked = means.set_index("method").psnr
if scale == 4 and not known:
    lab.expect(
        "PSNR rises from nearest over bicubic to the bundled network",
        list(ranked.sort_values().index) == list(methods),
    )

# %% after f2c450a7
lab.expect("a photo and its twin have the same LR image", bool(apart < 0.01))
lab.expect("the twin is clearly another image", bool((hr - other).abs().max() > 0.1))
lab.expect("the twin stays in [0, 1]", bool((other - other.clamp(0, 1)).abs().max() < 1e-5))

# %% after e25d0565
usual, true, after_blur = scores.values()
lab.expect("back-projection gains 0.8 dB or more", true > usual + 0.8)
lab.expect("back-projection with the wrong kernel loses PSNR", after_blur < usual)
lab.expect(
    "only the true kernel's result agrees with LR", min(off, key=off.get) == "bicubic (true)"
)

# %% after dcdefae0
lab.expect("all answers agree with LR to 0.015 levels", bool(max(levels.values()) < 0.015))
lab.expect(
    "the twin is two levels from the photo", bool((its_twin - middle).abs().mean() > 2 / 255)
)
from srlab import paths

page = srlab.read_image(str(paths.recipes().parent / "pictures" / "00_degradation.jpg"))[None]
found = []
for line, (row, column) in enumerate(((76, 108), (200, 196), (96, 252)), 1):
    parts = {
        letter: page[..., 248 * line - 214 :, x:] for letter, x in {"A": 380, "B": 760}.items()
    }
    crops = {letter: F.avg_pool2d(part[..., :240, :372], 3) for letter, part in parts.items()}
    there = cat[..., row : row + 80, column : column + 124]
    gaps = {letter: (crop - there).abs().mean().item() for letter, crop in crops.items()}
    found.append(min(gaps, key=gaps.get))
    lab.expect(
        f"row {line} of the first picture has one photo",
        min(gaps.values()) < 0.5 * max(gaps.values()),
    )
lab.expect("the photos of the first picture are B, A, B", " ".join(found) == "B A B")

# %% after 2c8a5be1
if lab.recipe == "laptop":
    for name, (_, errors) in falling.items():
        if name in taught:
            fall = sum(errors[-3:]) / sum(errors[:3])
            lab.expect(f"the layer's MSE falls: {name}", fall, below=1, ratio=True)
    ends = {name: sum(errors[-3:]) for name, (_, errors) in falling.items()}
    if scale == 4:
        right, apart_too = ends["bicubic, right pairs"], ends["bicubic, a pixel apart"]
        lab.expect(
            "the layer ends below bicubic's MSE on right pairs",
            ends["right pairs"] / right,
            below=0.98,
        )
        lab.expect(
            "the layer ends below bicubic's MSE on shifted pairs",
            ends["a pixel apart"] / apart_too,
            below=0.9,
        )
        lab.expect("a shift of a pixel doubles bicubic's MSE", apart_too / right, above=2)

# %% after 9e0d47c3
if lab.recipe == "laptop" and scale == 4:
    over = {name: score - reached["bicubic"] for name, score in reached.items()}
    lab.expect(
        "one layer beats bicubic by more than half a decibel",
        over["right pairs"],
        above=0.5,
        below=0.8,
    )
    projected = srlab.psnr(results["bicubic (true)"], hr).item()
    lab.expect("back-projection beats the layer", projected - reached["right pairs"], above=0)
    lab.expect(
        "the layer trained on shifted pairs is four decibels behind bicubic",
        over["a pixel apart"],
        above=-5,
        below=-3,
    )
    spread = (sums.max() - sums.min()).item()
    lab.expect(
        "the kernels' sums differ by a few percent", spread, above=0.005, below=0.2, ratio=True
    )

# %% after d3fc6a70
sizes = {name: field.square().mean().item() for name, field in checked.items()}
lab.expect(
    "a shifted pair leaves three times the residual",
    sizes["a pixel apart"] > 3 * sizes["right pair"],
)

# %% after f86dc12a
if scale == 4:
    alone = {name: scores[name] for name in ("blur 2 px", "noise 0.05", "JPEG 30")}
    others_of_three = min(alone["blur 2 px"], alone["noise 0.05"])
    lab.expect("JPEG costs the most PSNR", others_of_three - alone["JPEG 30"], above=0)
rest = min(score for name, score in scores.items() if name != "all of them")
lab.expect("all degradations together cost the most", rest - scores["all of them"], above=0)

# %% after 3fd5a002
decibels_of = {name: float(note.split()[0]) for name, note in notes.items()}
best = max(decibels_of, key=decibels_of.get)
lab.expect("Real-ESRGAN has the best PSNR on degraded handwriting", best == "RealESRGAN")
