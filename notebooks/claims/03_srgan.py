"""What lab 03 says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after 0767fcce
lab.expect(radius < 0.3, "the squared error puts its points near the middle of the ring")

# %% after bd958d51
lab.expect(slopes["log(1 - D)"][0] < 0.001, "log(1 - D) has almost no slope where D is sure")
lab.expect(slopes["-log D"][0] > 0.99, "-log D pulls with full strength there")

# %% after 4f95009f
lab.expect(norms["discriminator(sr)"] > 0, "G's loss reaches G")
lab.expect(sum(norms.values()) == norms["discriminator(sr)"], "a detach on the way cuts G off")

# %% after 3c028ea5
middle_points = 0.1 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
of_the_middle = film[800][1](middle_points).sigmoid().mean().item()
of_the_ring = film[800][1](ring(1000)).sigmoid().mean().item()
lab.expect(on_the_ring > 0.9, "more than 90 in 100 points of the GAN end on the ring")
lab.expect(abs(of_the_ring - 0.5) < 0.1, "D says about one half there")
lab.expect(of_the_middle < 0.35, "D knows that nothing real is in the middle")

# %% after 7b8171c1
patch_of_pixels = torch.rand(1, 3, 96, 96, requires_grad=True)
judge(patch_of_pixels)[0, 0, 12, 12].backward()
columns = patch_of_pixels.grad.abs().sum(dim=(0, 1, 2)) > 0
lab.expect(int(columns.sum()) == 28, "a logit looks at 28 pixels")

# %% after 8ff47938
if lab.recipe == "laptop":
    late = [row for row in history if row["step"] > 0.75 * lab.iters and "d_loss" in row]
    real, fake, of_d = (
        sum(row[key] for row in late) / len(late) for key in ("d_real", "d_fake", "d_loss")
    )
    opinion = srlab.diagnose(srlab.Run(lab.name, lab.run))
    lab.expect(-2.3 < change < -1.5, "PSNR falls by about two decibels")
    lab.expect(-lab.max_loss < before + change - by_bicubic < 0, "to a little below bicubic")
    lab.expect(0.5 < real < 0.9 and 0.1 < fake < 0.5, "what D says ends in the healthy bands")
    lab.expect(0.9 < of_d < 1.35, "D is a little ahead")
    lab.expect(not opinion.findings, "nothing looks wrong")

# %% after a30f0604
if lab.recipe == "laptop":
    sharp = {
        name: srlab.evaluation.perception.gradient_ratio(picture, stones).item()
        for name, picture in by_part.items()
    }
    lab.expect(sharp["pixels"] < 0.65, "by pixels alone it's wax")
    lab.expect(
        0.65 < sharp["pixels + content"] < 0.8, "content makes that firmer, and it's still wax"
    )
    lab.expect(
        0.45 < decibels["pixels"] - decibels["pixels + content"] < 0.75,
        "without D, content costs half a decibel or more",
    )
    for side_run in ("pixels", "pixels-content"):
        last = srlab.Run(lab.name, f"{lab.run}-ablation-{side_run}").metrics()[-1]
        lab.expect(last["d_real"] > 0.85 and last["d_fake"] < 0.15, "where nobody asks D, it wins")
    lab.expect(min(sharp["pixels + D"], sharp["all three"]) > 0.85, "with D they don't")
    lab.expect(
        0.05 < decibels["all three"] - decibels["pixels + D"] < 1.0,
        "beside D, content gains a fraction of a decibel",
    )

# %% after a30f0803
if lab.recipe == "laptop" and gravel and scale == 4:
    longer = scores_of(lambda lr: shown["SRGAN, 12,000 steps"])["psnr"]
    lab.expect(0.3 < before + change - longer < 0.8, "the longer training costs PSNR once more")

# %% after 50d69bfb
if lab.recipe == "laptop" and not photo:
    of_the_lawn = {name: srlab.psnr(picture, mine).item() for name, picture in made.items()}
    by_bicubic_there = srlab.psnr(bicubic(my_lr), mine).item()
    lab.expect(of_the_lawn["SRGAN"] < by_bicubic_there, "on the lawn SRGAN is below bicubic")

# %% after 8a11779e
if lab.recipe == "laptop":
    misplaced = {
        name: perception.energy_error(picture, stones).item() for name, picture in shown.items()
    }
    lab.expect(
        misplaced["the same + noise"] > 2 * misplaced["SRGAN"],
        "noise lies everywhere alike, and SRGAN's grain where the stones are",
    )

# %% after 6a59a526
middle_points = 0.1 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
of_the_middle = hasty[800][1](middle_points).sigmoid().mean().item()
lab.expect(slices(film[800][0]) >= 10, "the usual G covers the ring")
lab.expect(pieces <= 4, "a G that learns ten times as fast covers a small piece of it")
lab.expect(abs(of_the_middle - 0.5) < 0.2, "its D says about one half in the middle, too")
