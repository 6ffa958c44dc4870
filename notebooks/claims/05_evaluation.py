"""What lab 05 claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after c0a50106
lab.expect(
    "bicubic's eye is over a decibel ahead of Real-ESRGAN's",
    by_letter["B"] - by_letter["C"],
    above=1,
)
order = sorted(by_letter, key=by_letter.get, reverse=True)
lab.expect("the order of the eyes by PSNR is D, B, A, C", order == ["D", "B", "A", "C"])

# %% after c0a5010b
for name, known in {"astronaut": 26.84, "chelsea": 31.47}.items():
    if name in scores:
        lab.expect(
            f"the loops give bicubic its PSNR on {name}",
            scores[name]["bicubic"],
            above=known - 0.01,
            below=known + 0.01,
        )

# %% after c0a50301
lab.expect(
    "on the gravel SRGAN's patches are nearest to HR's", far[three[1]] / far[three[2]], above=5
)
lab.expect("bicubic's patches are the farthest", far[three[0]] / far[three[1]], above=2)

# %% after c0a50403
lab.expect(
    "with four photos the interval misses about 20 times in 100",
    missed_by["4 photos"],
    above=11,
    below=30,
)
lab.expect(
    "with 100 photos it misses about 6 times in 100", missed_by["100 photos"], above=0.5, below=12
)

# %% after 027c0593
for place, row in by_psnr.items():
    behind = max(value for method, value in row.items() if method != msrresnet)
    lab.expect(f"MSE training gives the best PSNR on {place}", row[msrresnet] - behind, above=0)

# %% after 9d71bdcb
of_moved = {pixels: srlab.psnr(moved(portrait, pixels), portrait).item() for pixels in SHIFTS}
lab.expect(
    "HR moved by half a pixel has a higher PSNR than MSRResNet", of_moved[0.5] - best, above=0
)
farther = max(value for pixels, value in of_moved.items() if pixels > 0.5)
lab.expect(
    "HR moved by 0.75 pixels or more has a lower PSNR than MSRResNet", best - farther, above=0
)
lab.expect("HR moved by four pixels has a PSNR below 19 dB", of_moved[4], below=19)
plain = srlab.psnr(made["astronaut"]["bicubic"], portrait)
lab.expect("bicubic has a PSNR above 19 dB on the astronaut", plain, above=19)

# %% after 5a11b0e1
lab.expect(
    "borrowed_score puts MSRResNet over a decibel below bicubic",
    (by_borrowed.loc["bicubic"] - by_borrowed.loc[msrresnet]).min(),
    above=1,
)

# %% after 5a11b0e2
for name, known in {"astronaut": 26.84, "chelsea": 31.47}.items():
    lab.expect(
        f"bicubic has its PSNR on {name}",
        by_fixed.loc["bicubic", name],
        above=known - 0.01,
        below=known + 0.01,
    )

# %% after b819c4d0
off = (changes.loc["luma from 0 to 255"] - 20 * math.log10(219 / 255)).abs()
lab.expect("luma from 0 to 255 lowers PSNR by 1.32 dB (error in dB)", off.max(), below=0.05)
for who, method in {"bicubic": "bicubic", "MSRResNet": msrresnet}.items():
    change = changes.loc["RGB instead of luma", method]
    lab.expect(f"RGB instead of luma costs {who} about 1.5 dB", change, above=-1.8, below=-1.3)
harmless = changes.loc[["border kept", "no rounding"]].abs()
lab.expect(
    "the border and the rounding each change PSNR by less than 0.3 dB",
    harmless.to_numpy().max(),
    below=0.3,
)
for name, dearer in {"astronaut": 0.7, "chelsea": 2.9}.items():
    brightest = srlab.PAPER(srlab.mod_crop(four[name], scale)).max().item()
    lab.expect(
        f"HR's maximum as peak lowers the PSNR of {name} by {dearer} dB",
        -20 * math.log10(brightest),
        above=dearer - 0.06,
        below=dearer + 0.06,
    )
for slip in list(slips)[:3]:
    pair = changes.loc[slip]
    lab.expect(
        f"{slip}: bicubic and MSRResNet lose about as much",
        pair.max() - pair.min(),
        below=0.2,
    )
default = changes.loc[INPUT]
lab.expect("PyTorch's default LR costs MSRResNet over 3.5 dB", default[msrresnet], below=-3.5)
lab.expect(
    "PyTorch's default LR puts MSRResNet below bicubic",
    default["bicubic"] - default[msrresnet] - lead,
    above=0,
)
others = changes[msrresnet].drop(["usual", INPUT])
lab.expect(
    "PyTorch's default LR costs MSRResNet more than any other slip",
    others.min() - default[msrresnet],
    above=0,
)
lab.expect(
    "PyTorch's default LR costs bicubic about one decibel",
    default["bicubic"],
    above=-1.3,
    below=-0.7,
)
large = changes[msrresnet].drop(["usual", *harmless.index])
lab.expect(
    "the other four slips each cost at least 0.95 of the lead over bicubic",
    (-large / lead).min(),
    above=0.95,
)

# %% after 0f162763
lab.expect(
    "SRGAN has a higher LR consistency than bicubic by over 3 dB",
    agreeing[srgan] - agreeing["bicubic"],
    above=3,
)

# %% after dc51f6ca
lab.expect(
    "SRGAN has a smaller patch distance than MSRResNet (ratio)",
    distances[msrresnet] / distances[srgan],
    above=1,
)
lab.expect(
    "MSRResNet has a smaller patch distance than bicubic (ratio)",
    distances["bicubic"] / distances[msrresnet],
    above=1,
)
right = by_method.psnr.mean()
lab.expect(
    "MSRResNet has a higher mean PSNR than bicubic",
    right[msrresnet] - right["bicubic"],
    above=0,
)
lab.expect("SRGAN has a lower mean PSNR than MSRResNet", right[msrresnet] - right[srgan], above=0)
lab.expect(
    "no method is best in both PSNR and patch distance (ratio of distances)",
    distances[right.idxmax()] / distances.min(),
    above=1,
)
lab.expect("SRGAN has a higher mean PSNR than bicubic", right[srgan] - right["bicubic"], above=0)

# %% after 550f86bf
if lab.recipe == "laptop":
    by_photos = [method for method in rivals if settles[photos_here, method]]
    lab.expect(
        "four photos settle the gain of one method at most", len(by_photos), below=2, usually=True
    )
    each = whole[msrresnet] - whole["bicubic"]
    lab.expect("MSRResNet beats bicubic on each photo", each.min(), above=0)
    by_name = dict(zip(unseen.names, each.tolist(), strict=True))
    lab.expect("MSRResNet gains less than 1 dB on the cat", by_name["chelsea"], below=1)
    lab.expect("MSRResNet gains over 2 dB on the handwriting", by_name["text"], above=2)
    crops_here = next(what for what in panels if "crops" in what)
    settled_now = [m for m in rivals if settles[crops_here, m]]
    lab.expect(
        "the crops leave the gain of one method open at most",
        len(rivals) - len(settled_now),
        below=2,
    )

# %% after cea0e60e
harm = {kind: by_kind["bicubic"][0] - by_kind[kind][0] for kind in kinds}
lab.expect(
    "blur in LR costs MSRResNet less PSNR than aliasing or noise",
    min(harm["aliased"], harm["noisy"]) - harm["blurred"],
    above=0,
)
for kind in ("aliased", "noisy"):
    ours, plain = by_kind[kind]
    lab.expect(f"bicubic beats MSRResNet on {kind} LR", plain - ours, above=0)

# %% after a17c0deb
for period, least, most in ((32, 9, 24), (10, -13, -1)):
    wave = 0.5 + 0.5 * torch.sin(2 * math.pi * torch.arange(128.0) / period)
    stripes = srlab.quantize(wave.repeat(1, 3, 128, 1))
    lr = srlab.downsample(stripes, scale)
    plain, ours = (
        srlab.psnr(srlab.upscale(m, lr).clamp(0, 1), stripes)
        for m in (bicubic, networks[msrresnet].cpu())
    )
    lab.expect(
        f"how far MSRResNet is behind bicubic on stripes of period {period}",
        (plain - ours).item(),
        above=least,
        below=most,
    )

# %% after 2585e277
for name in upscalers:
    lab.expect(f"facts_of gives at least six lines for {name}", len(list(facts_of(name))) >= 6)

# %% after e5b80d17
fakes = values.loc[[*tricks_tried, "fool"]]
lab.expect(
    "the blur effect prefers all four tricks and the student's own to the SR",
    values.loc[msrresnet, "blur effect"] - fakes["blur effect"].max(),
    above=0,
)
for measure in ("PSNR", "SSIM"):
    lab.expect(
        f"{measure} prefers the SR to every trick",
        values.loc[msrresnet, measure] - fakes[measure].max(),
        above=0,
    )
same = values.loc["mirrored", "blur effect"] - values.loc["HR", "blur effect"]
lab.expect("the blur effect gives mirrored HR the value of HR (difference)", abs(same), below=0.002)

# %% after f354f755
top, left = worst["astronaut"]
lab.expect("the worst block of the astronaut is at the badge's height", top, above=300, below=420)
lab.expect(
    "the worst block of the astronaut is at the badge or right of it", left, above=90, below=320
)
if lab.recipe == "laptop":
    below = []
    for name, hr in originals.items():
        if name != "gravel":
            blocks = error_blocks(name, made[name][msrresnet], hr)
            below.append(psnr_of(name, made[name][msrresnet], hr) - blocks.min().item())
    lab.expect("every worst block is over 4 dB below its photo", min(below), above=4)
    lab.expect("no worst block is 10 dB below its photo", max(below), below=10)

# %% after 3db00004
lab.expect("SSIM tolerates a change of brightness", abs(ssims[0] - 0.98) < 0.005)
lab.expect("SSIM penalizes lost stripes", abs(ssims[1] - 0.08) < 0.005)
