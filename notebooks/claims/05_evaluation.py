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
lab.expect(max(ahead) == 0.5, "the photo may move by half a pixel, and loses at three quarters")
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
for name, dearer in {"astronaut": 0.7, "chelsea": 2.9}.items():
    brightest = srlab.PAPER(srlab.mod_crop(four[name], scale)).max().item()
    lab.expect(
        abs(20 * math.log10(brightest) + dearer) < 0.06, f"its peak costs {name} {dearer} dB"
    )
for slip in list(slips)[:3]:
    pair = changes.loc[slip]
    lab.expect(pair.max() - pair.min() < 0.2, f"{slip} costs bicubic about as much")
default = changes.loc[INPUT]
lab.expect(default[label] < -3.5, "PyTorch's default costs the network about 4 dB or more")
lab.expect(default[label] + lead < default["bicubic"], "and puts it below bicubic")
lab.expect(default[label] == changes[label].drop("usual").min(), "most of all")
lab.expect(-1.3 < default["bicubic"] < -0.7, "and bicubic one decibel")
costly = (changes[label].drop("usual") < -0.95 * lead).sum()
lab.expect(costly == 4, "four of the five cost about as much as the lead, or more")

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
    right = by_method.psnr.mean()
    if "RealESRGAN" in distances:
        lab.expect(distances.idxmin() == "RealESRGAN", "RealESRGAN goes farthest down")
        lab.expect(right.idxmin() == "RealESRGAN", "and pays most")
    lab.expect(
        right[label] > right["bicubic"], "from bicubic to the network of lab 01, to the right"
    )
    lab.expect(right[rival] < right[label], "SRGAN pays with PSNR")
    lab.expect(distances.idxmin() != right.idxmax(), "nobody is best at both")
    lab.expect(right[rival] > right["bicubic"], "our SRGAN is still above bicubic")
    if lab.recipe == "laptop" and "MSRResNet (srlab)" in right:
        cost_of_features = right["MSRResNet (srlab)"] - right["hybrid"]
        lab.expect(
            0.65 < cost_of_features < 1.3, "the features have cost the hybrid 0.7 dB or more"
        )
        lab.expect(distances["hybrid"] < distances["MSRResNet (srlab)"], "and have brought it down")

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
        gap = dict(zip(unseen.names, gap.tolist(), strict=True))
        lab.expect(abs(gap["text"]) < 0.3, "on the handwriting it is level with bicubic")
        lab.expect(-5.8 < gap["brick"] < -4.5, "and five decibels behind on the bricks")

# %% after 69fa4c46
known = {"Set5": 28.42, "Set14": 26.00, "BSD100": 25.96, "Urban100": 23.14}
for images in downloaded:
    if images.name in known:
        ours = srlab.evaluate(bicubic, images, scale).psnr.mean()
        lab.expect(
            abs(ours - known[images.name]) < 0.03, f"bicubic scores as published on {images.name}"
        )

# %% after 6023b5f2
lab.expect(
    on_stones.PSNR[label] > on_stones.PSNR.drop(for_psnr or [label])[own_two].max(), "soft wins"
)
for name in own_two if lab.recipe == "laptop" else ():
    ahead_of = on_stones.loc[name] - on_stones.loc["RealESRGAN"]
    lab.expect(1.7 < ahead_of["PSNR"] < 2.9, f"{name} is about two decibels ahead of RealESRGAN")
    lab.expect(ahead_of["LR consistency"] > 5, f"{name} agrees better with LR by far")
    if axis_of_looks == "patch_distance":
        lab.expect(on_stones.distance[name] < 4, f"the patches of {name} are near")
        lab.expect(on_stones.distance["RealESRGAN"] > 50, "and those of RealESRGAN are not")
        lab.expect(on_stones.distance[rival] > 5, "those of SRGAN lie between")
    lab.expect(on_stones.PSNR[rival] > on_stones.PSNR[name], f"SRGAN has more PSNR than {name}")
if axis_of_looks == "patch_distance" and lab.recipe == "laptop":
    lab.expect(on_stones.distance.idxmin() in own_two, "one of yours is nearest in looks")
    lab.expect(on_stones.distance[list(shown)].idxmax() == label, "the soft one is the farthest")

# %% after 2585e277
for name in stones:
    lab.expect(len(list(facts_of(name))) >= 6, f"there are numbers to put beside {name}")

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
