"""What lab 05 says of its results; srlab/cli/claims.py says how these blocks are run."""

# %% after b819c4d0
apart = agreement.diff().abs()
lab.expect(
    (apart.loc[["PSNR, srlab", "PSNR, scikit-image"]] < 0.01).all(axis=None), "all PSNRs agree"
)
lab.expect((apart.loc["SSIM, scikit-image"] < 0.001).all(), "both SSIMs agree")
shift = changes["full range"]["bicubic"]
lab.expect(
    abs(shift - 20 * math.log10(219 / 255)) < 0.05, "the full range stretches errors by 255/219"
)
lab.expect(max(changes["RGB instead of luma"].values()) < -1, "RGB costs more than a decibel")
lab.expect(min(changes["no border cut"].values()) > 0, "the border is a little easier here")
lab.expect(max(changes["no border cut"].values()) < 0.3, "the border changes little")
lab.expect(max(map(abs, changes["no rounding"].values())) < 0.03, "rounding hardly matters")
lab.expect(
    changes["moved by one pixel"][label] < -1.3, "a shift by one pixel costs a network dearly"
)
lab.expect(
    changes["moved by one pixel"]["bicubic"] < -0.8, "a shift by one pixel costs bicubic, too"
)
lab.expect(max(changes["HR's maximum as peak"].values()) < -1, "a peak below 1 lowers the score")
added = changes["1e-4 added"]
lab.expect(added[label] < added["bicubic"] < -0.3, "a constant hurts the better method more")
lab.expect(max(changes["errors pooled"].values()) < -0.1, "pooling lowers the score")

# %% after fc6653e1
lab.expect((inputs.iloc[0] - inputs.iloc[1:3]).abs().max(axis=None) < 0.05, "three ways agree")
lab.expect(aliased_cost["bicubic"] > 0.5, "LR without antialiasing costs bicubic")
lab.expect(
    aliased_cost[label] > aliased_cost["bicubic"] + 0.5,
    "a network trained on proper LR suffers more",
)
default = inputs.loc["torch bicubic, the default"]
lab.expect(
    default[label] < default["bicubic"],
    "on the default of PyTorch the network is worse than bicubic",
)

# %% after b0d47b65
moved, result = values.loc["HR, moved by one pixel"], values.loc["network"]
noisy, sharp = values.loc["network + noise"], values.loc["network, sharpened"]
lab.expect(moved.PSNR < result.PSNR - 1, "PSNR prefers a soft picture to the photo itself, moved")
lab.expect(moved["energy error"] < result["energy error"] / 2, "the energy error sees the texture")
off = abs(result["gradient ratio"] - 1)
lab.expect(abs(noisy["gradient ratio"] - 1) < off / 2, "noise fools the gradient ratio")
lab.expect(abs(sharp["gradient ratio"] - 1) < off / 2, "exaggerated edges fool the gradient ratio")
lab.expect(values["colour shift"].idxmax() == "HR, tinted", "the colour shift finds the tint")
lab.expect(values.loc["HR, tinted", "PSNR"] > 40, "the tint costs PSNR almost nothing")
if lab.recipe == "laptop":
    by_noise, by_edges = (fooled.iloc[i] for i in range(2))
    ratio = by_noise.gradient_ratio and by_edges.gradient_ratio
    lab.expect(ratio, "noise and sharpening fool the gradient ratio")
    distance = by_noise.patch_distance or by_edges.patch_distance
    lab.expect(not distance, "they do not fool the patch distance")
    lab.expect(not fooled[["psnr", "lr_consistency"]].any(axis=None), "PSNR and LR see through all")
    lab.expect(not fooled.loc["one colour"].any(), "a dead network fools nobody")
    lab.expect(not set(passing) & set(tricks_made), "no trick passes both ways")
    lab.expect("SRGAN" in passing or "SRGAN" not in made, "SRGAN passes both ways")
    lab.expect(consistency[rival] > consistency["bicubic"] + 3, "SRGAN agrees with LR")
published_net = "RealESRGAN" in competitors
if published_net:
    lost = psnrs["bicubic"] - psnrs["RealESRGAN"]
    lab.expect(lost > 2 or len(unseen) < 4, "RealESRGAN is two decibels behind bicubic")
    lab.expect(consistency["RealESRGAN"] < consistency["bicubic"] - 4, "it does not believe LR")
    lab.expect("RealESRGAN" not in passing, "it does not pass both ways")
    lab.expect(stones.psnr["RealESRGAN"] < stones.psnr["bicubic"] - 2, "nor does it know gravel")
yours_by_default = [f"{method} (yours, gravel)" for method in ("SRGAN", "ESRGAN")]
for name in filter(specialists.get, yours_by_default):
    mine, start = stones.loc[name], stones.loc["RRDB"]
    lab.expect(mine.psnr < stones.psnr["bicubic"], f"{name} pays for its stones in PSNR")
    lab.expect(mine.energy_error < start.energy_error / 2, f"{name} has brought detail back")
    lab.expect(mine.patch_distance < stones.patch_distance["SRGAN"], f"{name} knows its stones")
    if published_net:
        theirs = stones.loc["RealESRGAN"]
        lab.expect(mine.psnr > theirs.psnr + 1, f"{name} beats RealESRGAN by PSNR")
        lab.expect(mine.energy_error < 0.8 * theirs.energy_error, f"{name} beats it by energy")
        lab.expect(
            mine.patch_distance < theirs.patch_distance / 10, f"{name} has the better stones"
        )
        lab.expect(mine.lr_consistency > theirs.lr_consistency + 5, f"{name} agrees better with LR")

# %% after f354f755
bicubics = (t[t.method == "bicubic"].set_index("set").psnr for t in (measured, published))
here, known = bicubics
lab.expect(not ((here - known).abs() > 0.03).any(), "bicubic scores as published")
lab.expect(error < unpaired, "pairing makes the error smaller")
lab.expect(gain / error > 1, "the network is ahead of bicubic by more than a standard error")
top, left, _ = worst["astronaut"]
lab.expect(not (48 <= top <= 144 and 168 <= left <= 288), "the worst place is not in the face")

# %% after 807eda07
harmed = [scores["bicubic"] - scores[kind] for kind in list(kinds)[1:]]
lab.expect(min(harmed) > 0.7, "each other kind costs the better part of a decibel, or more")
lab.expect(harmed[1] < min(harmed[::2]) - 0.5, "blur harms least")
own_kind = pd.Series(np.diag(grid.iloc[:4]), grid.columns)
plain = grid.loc["bicubic enlargement"]
edges = perception.gradient_ratio(srlab.upscale(tuned["blurred"], lrs["bicubic"]), cat).item()
paid = before.iloc[0] - grid.loc["trained on noisy", "tested on bicubic"]
elsewhere = (grid.iloc[:4] < plain).to_numpy()[~np.eye(4, dtype=bool)]
if lab.recipe == "laptop":
    lab.expect(lost > 1.5, "another kernel costs dearly")
    lab.expect((before < plain)["tested on aliased"], "it is worse than no network")
    lab.expect((own_kind - before)[1:].min() > 0.4, "training on the right kind helps")
    lab.expect((own_kind == grid.iloc[:4].max()).all(), "each is the best on its own kind")
    lab.expect(elsewhere.mean() >= 0.4, "elsewhere a network is often worse than none")
    lab.expect(0.25 < back / lost < 0.8, "about half of what aliasing cost comes back")
    lab.expect(0 < paid < lost, "learning about noise costs a little on clean images")
    lab.expect(edges > 1, "the one that learned about blur sharpens what is sharp")

# %% after 5b1d07e4
if "RealESRGAN" in competitors:
    blind_psnr = [srlab.psnr(image, cat).item() for image in blind.values()]
    enlarged_psnr = [srlab.psnr(bicubic(small), cat).item() for small in lrs.values()]
    behind_by = [one - other for one, other in zip(enlarged_psnr, blind_psnr, strict=True)]
    lab.expect(min(behind_by) > 0.5, "bicubic enlargement has the better PSNR from every kind")
    lab.expect(max(blind_psnr) - min(blind_psnr) < 2, "RealESRGAN is much the same from all four")

# %% after 2c2bc6f4
if lab.recipe == "laptop":
    none, half, full = best.values()
    lab.expect(none < half < full, "more blur needs more of network B")
    lab.expect(abs(half - 0.25) < 0.16, "half the blur takes about a quarter of network B")

# %% after b01f55ef
lab.expect(largest[-1] < 0.01 < largest[0], "tiles have seams, and none at the receptive radius")
saved = [srlab.to_uint8(x).int() for x in (tiling.upscale(network, lr, tile=32), whole)]
lab.expect((saved[0] - saved[1]).abs().max() <= 1, "the overlap that srlab takes is invisible")

# %% after 0b2b2f5f
lab.expect((study.idxmax(axis=1) == "bicubic, derived").all(), "bicubic leads the table")
if sets[1:]:
    gap = anew.set_index("set").psnr - study["bicubic, derived"]
    lab.expect(not (gap.abs() > 0.5).any(), "what is derived is near what is measured")
