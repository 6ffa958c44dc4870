"""What lab 04 says of its results; srlab/cli/claims.py says how these blocks are run."""

# %% after a6cc59a6
lab.expect(dependence["with batch norm"] > 1, "batch norm mixes the patches of a batch")
lab.expect(dependence["without"] < 1e-3, "without batch norm each patch is on its own")
sizes = {name: values[-1] for name, (_, values) in growing.items()}
lab.expect(sizes["beta = 1.0"] > 2**23, "without scaling a signal at least doubles in each block")
lab.expect(sizes["beta = 0.2"] < 200, "with beta 0.2 it grows less than two-hundredfold")
high = tried["largest loss at rate 0.008"]
unscaled = high[["dense", "residual in residual"]]
plain = high[["SRResNet's blocks", "no batch norm"]]
if lab.recipe == "laptop":
    usually = tried["largest loss at rate 0.002"]
    lab.expect(usually.max() < 0.3, "at the usual rate all five stay calm")
    lab.expect((tried["last at 0.002"] < 0.95 * usually).all(), "and all five train")
    lab.expect(unscaled.max() > 2 * plain.max(), "dense blocks without scaling run away")

# %% after 0afbe511
if stage not in ("", "shipped") and "/" not in stage:
    course = [row["val_psnr"] for row in srlab.Run(lab.name, stage).metrics() if "val_psnr" in row]
    lab.expect(course[-1] - course[0] >= lab.min_progress, "the PSNR stage beats its own start")
if usual and stage:
    lab.expect(psnr_gain > 1.2, "the PSNR stage beats bicubic by more than 1 dB")
    lab.expect(scores["RRDB"].gradient_ratio.mean() < 0.7, "and is still soft")

# %% after 6e6cfd51
if zeros:
    lab.expect(zeros["after the ReLU"] > 20, "a good part of the values is 0 after the ReLU")
    lab.expect(zeros["before the ReLU"] < 1, "and hardly any before")

# %% after f4a073e3
if usual and game:
    lab.expect(settled > 0.55, "D(HR) settles above one half")
    lab.expect(ranked > 0.7, "D is ahead on stones that it has never seen")

# %% after a8b7e826
if usual and game:
    means = pd.DataFrame({name: table.mean() for name, table in scores.items()}).T
    lab.expect(means.psnr.idxmax() == "RRDB", "the first stage wins in PSNR")
    lost = (scores["bicubic"] - scores["ESRGAN"]).psnr.mean()
    lab.expect(lost <= lab.max_loss, "PSNR ends not too far below bicubic")
    gap, energy = added["gap closed in %"], added["energy error"]
    sharp, off = gap["ESRGAN"], energy["ESRGAN"]
    lab.expect(off < 0.25, "ESRGAN's energy map is near the photo's")
    for other in (name for name in order if name != "ESRGAN"):
        claim = f"the energy error of ESRGAN is well below that of {other}"
        lab.expect(off < 0.7 * energy[other], claim)
    lab.expect(sharp >= 100 * lab.min_gap, "ESRGAN closes a good part of the gap")
    lab.expect(abs(sharp - gap["RRDB + noise"]) < 15, "noise closes about as much of the gap")
    if "without D" in order:
        gained = sharp - gap["without D"]
        lab.expect(
            gained >= 100 * lab.min_d_gain,
            "with D, clearly more of the gap is closed",
        )

# %% after d63a90f8
if usual and game and stage:
    lab.expect(curve.psnr.is_monotonic_decreasing, "PSNR falls all along the way")
    lab.expect(curve.gradient_ratio.is_monotonic_increasing, "and sharpness rises")
    lab.expect(abs(ahead) < 0.6, "mixed networks and mixed pictures have about the same PSNR")
    p, e = pixels
    there = e[0.5] + (e[0.75] - e[0.5]) * (p[0.5] - curve.psnr[0.5]) / (p[0.5] - p[0.75])
    lab.expect(curve.energy_error[0.5] < there, "at one PSNR the networks' error is lower")

# %% after 15ae97f0
if usual and theirs is not None:
    lab.expect(ours.psnr > published.psnr + 1.5, "your stones are nearer to the photo by PSNR")
    lab.expect(ours.energy_error < 0.8 * published.energy_error, "and by the energy error")
    lab.expect(published.psnr < duel.psnr["bicubic"] - 2, "the published stones are far from it")

# %% after 68523996
lab.expect(steepest["with spectral norm"] < 1.05, "with spectral norm no slope is steeper than 1")
lab.expect(steepest["without"] > 10, "without it the slope is many times steeper")

# %% after cb6361bb
if usual and game:
    lab.expect(tints["with our tint"] > 5 * tints["tint removed"], "your function removes the tint")
    if lab.discriminator == "patch":
        moved, apart = said["with our tint"] - said["ESRGAN"], said["HR"] - said["ESRGAN"]
        lab.expect(abs(moved) < 0.25 * apart, "a tint of 15 levels moves D's logit little")
    lab.expect(abs(vary["ESRGAN"] / vary["HR"] - 1) < 0.25, "ESRGAN varies as much as the photo")
    lost = (scores["RRDB"] - scores["D alone"]).psnr.mean()
    lab.expect(lost > 1, "D alone leaves the photo behind")
    lab.expect(min(followed["RRDB"], followed["ESRGAN"]) > 1, "both strengthen the false pattern")

# %% after 3548c314
lab.expect(pulls["vanilla"][0].abs().max() == 0, "the vanilla loss does not look at photos")
for kind in ("relativistic", "relativistic average"):
    total = float(pulls[kind][0].sum() + pulls[kind][1].sum())
    lab.expect(abs(total) < 1e-6, f"{kind}: the pulls on all logits add up to nothing")
