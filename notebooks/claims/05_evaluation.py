"""What lab 05 says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after 027c0593
at_hand = "RealESRGAN" in competitors
for place, row in by_psnr.items():
    lab.expect(
        max(row, key=row.get) == label, f"the network for the squared error is first on {place}"
    )
    if at_hand or place == "the stones":
        lab.expect(
            sorted(row, key=row.get).index("RealESRGAN") == 0, f"RealESRGAN is last on {place}"
        )

# %% after 9d71bdcb
lab.expect(max(ahead) in (0.5, 0.75), "the photo may move by half a pixel, and loses by one")
lab.expect(
    srlab.psnr(moved(portrait, 4), portrait)
    < 19
    < srlab.psnr(made["astronaut"]["bicubic"], portrait),
    "at four pixels the photo has 18 dB, far below bicubic",
)

# %% after b819c4d0
shift = changes.loc["luma from 0 to 255"]
lab.expect(((shift - 20 * math.log10(219 / 255)).abs() < 0.05).all(), "the range costs 1.32 dB")
lab.expect(changes.loc["RGB instead of luma"].between(-1.8, -1.3).all(), "RGB costs about 1.5 dB")
harmless_ones = changes.loc["no border, no rounding"].abs()
lab.expect(harmless_ones.max() < 0.3, "border and rounding hardly matter")
lab.expect(
    changes.loc["HR's maximum as peak"].between(-2.2, -1).all(), "another peak costs up to 2 dB"
)
default = changes.loc[INPUT]
lab.expect(default[label] < -3.5, "PyTorch's default costs the network about 4 dB or more")
lab.expect(default[label] + lead < default["bicubic"], "and puts it below bicubic")
lab.expect(default[label] == changes[label].drop("usual").min(), "most of all")
costly = (changes[label].drop("usual") < -1).sum()
lab.expect(costly == 4, "all but border and rounding cost more than a decibel")

# %% after e5b80d17
lab.expect(
    liked.loc[[*tricks_tried, "yours"], "blur effect"].all(), "the blur effect likes all four"
)
lab.expect(not liked.loc[list(attempts), "PSNR"].any(), "PSNR likes none")
lab.expect(not liked.loc[list(attempts), "SSIM"].any(), "nor does SSIM")
same = values.loc["mirrored", "blur effect"] - values.loc["the photo", "blur effect"]
lab.expect(abs(same) < 0.002, "the mirror has the value of the photo")
if "RealESRGAN" in values.index:
    sharper = values["blur effect"]["RealESRGAN"] < values["blur effect"]["the photo"]
    lab.expect(sharper, "RealESRGAN comes out sharper than the photo")

# %% after 0f162763
lab.expect(
    agreeing[rival] > agreeing["bicubic"] + 3, "SRGAN agrees better than bicubic by several dB"
)
if "RealESRGAN" in agreeing:
    lab.expect(agreeing.idxmin() == "RealESRGAN", "RealESRGAN agrees least")
if lab.recipe == "laptop" and {"content loss", "hybrid"} <= set(agreeing.index):
    lab.expect(
        agreeing["content loss"] < agreeing[rival] - 3,
        "the content loss agrees far less than SRGAN",
    )
    lab.expect(agreeing["hybrid"] > agreeing["bicubic"] + 3, "the hybrid's pixels have cured it")

# %% after dc51f6ca
if axis_of_looks == "patch_distance":
    lab.expect(
        distances[rival] < distances[label] < distances["bicubic"],
        "from bicubic over MSRResNet to SRGAN, down",
    )
    right = scored.groupby("method").psnr.mean()
    if "RealESRGAN" in distances:
        lab.expect(distances.idxmin() == "RealESRGAN", "RealESRGAN goes farthest down")
        lab.expect(right.idxmin() == "RealESRGAN", "and pays most")
    lab.expect(
        right[label] > right["bicubic"], "from bicubic to the network of lab 01, to the right"
    )
    lab.expect(right[rival] < right[label], "SRGAN pays with PSNR")
    lab.expect(distances.idxmin() != right.idxmax(), "nobody is best at both")

# %% after 550f86bf
if lab.recipe == "laptop":
    lab.expect(len(firm) <= 1, "four photos settle none, or just one")
    each = whole[label] - whole["bicubic"]
    lab.expect(each.min() > 0.3, "it is ahead on each")
    by_name = dict(zip(unseen.names, each.tolist(), strict=True))
    lab.expect(by_name["chelsea"] < 1, "by half a decibel on the cat")
    lab.expect(by_name["text"] > 2, "and by several on the handwriting")
    lab.expect("RealESRGAN" not in firm, "RealESRGAN is not among them")
    settled_now = [
        m for m in rivals if abs(interval(piece_by_piece, m)[0]) > interval(piece_by_piece, m)[1]
    ]
    lab.expect(len(settled_now) >= len(rivals) - 1, "the pieces settle nearly everything")
    if "RealESRGAN" in competitors:
        gap = whole["RealESRGAN"] - whole["bicubic"]
        lab.expect(-3 < gap.mean() < -1.8, "RealESRGAN is two decibels behind")
        lab.expect(gap[list(unseen.names).index("text")] > 0, "on the handwriting it is ahead")

# %% after 69fa4c46
known = {"Set5": 28.42, "Set14": 26.00, "BSD100": 25.96, "Urban100": 23.14}
for images in downloaded:
    if images.name in known:
        ours = srlab.evaluate(bicubic, images, scale).psnr.mean()
        lab.expect(
            abs(ours - known[images.name]) < 0.03, f"bicubic scores as published on {images.name}"
        )

# %% after 6023b5f2
known_well = [name for name in ("SRGAN (yours)", "ESRGAN (yours)") if name in stones]
lab.expect(
    on_stones.PSNR[label] > on_stones.PSNR.drop(for_psnr or [label])[own_two].max(), "soft wins"
)
for name in known_well if lab.recipe == "laptop" else ():
    ahead_of = on_stones.loc[name] - on_stones.loc["RealESRGAN"]
    lab.expect(1.8 < ahead_of["PSNR"] < 3.2, f"{name} is 2.5 dB ahead of RealESRGAN")
    lab.expect(7 < ahead_of["LR consistency"] < 14, f"{name} agrees better with LR by 10 dB")

# %% after f354f755
top, left = worst["astronaut"]
lab.expect(
    300 < top < 420 and 90 < left < 320, "the worst place is the badge, or the lettering near it"
)
if lab.recipe == "laptop":
    below = []
    for name, hr in originals.items():
        if name != "gravel":
            blocks = error_blocks(name, made[name][label], hr)
            below.append(psnr_of(name, made[name][label], hr) - blocks.min().item())
    lab.expect(
        min(below) > 4 and max(below) < 10, "the worst blocks are 5 to 9 dB below their photo"
    )

# %% after cea0e60e
harm = {kind: scores[label, "bicubic"][0] - scores[label, kind][0] for kind in kinds}
lab.expect(min(harm, key=lambda k: (k == "bicubic", harm[k])) == "blurred", "blur harms least")
for kind in ("aliased", "noisy"):
    lab.expect(scores[label, kind][0] < scores[label, kind][1], f"on {kind} LR bicubic is better")
if "RealESRGAN" in competitors:
    for kind in kinds:
        pair = scores["RealESRGAN", kind]
        lab.expect(pair[0] < pair[1], f"bicubic has the better PSNR on {kind} LR")
