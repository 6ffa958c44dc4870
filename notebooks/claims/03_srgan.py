"""What lab 03 claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after 0767fcce
lab.expect("the MSE generator puts its points near the center of the ring", radius, below=0.3)

# %% after c58d1e12
if lab.recipe == "laptop" and lab.features == "vgg6 conv2_2":
    lab.expect("a new D has less than a tenth of the pull", new_shares["adversary"], below=10)
    lab.expect(
        "the content loss has more than half of the pull with a new D",
        new_shares["content"],
        above=50,
    )

# %% after c58d1e21
if lab.recipe == "laptop" and lab.features == "vgg6 conv2_2":
    lab.expect(
        "a trained D has about half of the pull", last_shares["adversary"], above=35, below=70
    )
    growth = (last_shares["adversary"] / last_shares["pixel"]) / (
        new_shares["adversary"] / new_shares["pixel"]
    )
    lab.expect("D's gradient grows more than tenfold in training", growth, above=10, ratio=True)

# %% after a30f0208
lab.expect("the best D against a perfect G has the loss 1.39", loss_of_d, above=1.385, below=1.388)

# %% after bd958d51
lab.expect("log(1 - D) has almost no slope where D is sure", -slopes["log(1 - D)"], below=0.001)
lab.expect("-log D keeps its full slope where D is sure", -slopes["-log D"], above=0.99)

# %% after 3c028ea5
middle_points = 0.1 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
of_the_middle = film[800][1](middle_points).sigmoid().mean().item()
of_the_ring = film[800][1](ring(1000)).sigmoid().mean().item()
lab.expect("most points of the GAN end on the ring", on_the_ring, above=0.75)
lab.expect(
    "the toy discriminator gives about one half on the ring", of_the_ring, above=0.4, below=0.6
)
lab.expect(
    "the toy discriminator rates the center of the ring as generated", of_the_middle, below=0.5
)

# %% after a30f0304
for kind, end in zip(("real", "generated"), borrowed_ends, strict=True):
    lab.expect(f"with the bug, D outputs two thirds for {kind} points", end, above=0.62, below=0.71)

# %% after a30f0308
for kind, end in zip(("real", "generated"), fixed_ends, strict=True):
    lab.expect(
        f"without the bug, D outputs one half for {kind} points", end, above=0.45, below=0.55
    )

# %% after 7b8171c1
patch_of_pixels = torch.rand(1, 3, 96, 96, requires_grad=True)
judge(patch_of_pixels)[0, 0, 12, 12].backward()
columns = patch_of_pixels.grad.abs().sum(dim=(0, 1, 2)) > 0
lab.expect("a logit of the PatchGAN sees 28 pixels", int(columns.sum()), above=27, below=29)

fine = {
    name: (with_fine_structure(image)[:, 3:]).std().item()
    for name, image in (pictures | {"HR": stones}).items()
}
if lab.recipe == "laptop" and gravel:
    lab.expect(
        "the fine structure of HR is about twice the pretrained network's",
        fine["HR"] / fine["pretrained"],
        above=1.5,
        below=2.5,
        ratio=True,
    )

# %% after 8ff47938
if lab.recipe == "laptop":
    late = [row for row in history if row["step"] > 0.75 * lab.iters and "d_loss" in row]
    real, fake, of_d = (
        sum(row[key] for row in late) / len(late) for key in ("d_real", "d_fake", "d_loss")
    )
    opinion = course.diagnose(srlab.Run(lab.name, lab.run))
    lab.expect("SRGAN loses about two decibels of PSNR", change, above=-2.3, below=-1.5)
    lab.expect(
        "SRGAN ends a little below bicubic in PSNR",
        before + change - by_bicubic,
        above=-lab.max_psnr_drop,
        below=0,
    )
    lab.expect("D(HR) ends in its healthy band", real, above=0.5, below=0.9)
    lab.expect("D(SR) ends in its healthy band", fake, above=0.1, below=0.5)
    lab.expect("the discriminator's loss ends a little below 1.39", of_d, above=0.9, below=1.35)
    lab.expect(
        "course.diagnose finds nothing wrong with the training", len(opinion.findings), below=1
    )

# %% after a30f0604
if lab.recipe == "laptop":
    sharp = {
        name: srlab.evaluation.perceptual.gradient_ratio(picture, stones).item()
        for name, picture in by_part.items()
    }
    lab.expect(
        "pixel loss alone gives less than 65% of HR's sharpness", sharp["pixels"], below=0.65
    )
    lab.expect(
        "pixel and content loss give about three quarters of HR's sharpness",
        sharp["pixels + content"],
        above=0.68,
        below=0.83,
    )
    lab.expect(
        "content loss costs about three quarters of a decibel without the discriminator",
        decibels["pixels"] - decibels["pixels + content"],
        above=0.5,
        below=1,
    )
    for parts in ("pixels", "pixels-content"):
        last = srlab.Run(lab.name, f"{lab.run}-ablation-{parts}").metrics()[-1]
        lab.expect(
            f"D(HR) ends near 1 where the generator ignores D ({parts})", last["d_real"], above=0.85
        )
        lab.expect(
            f"D(SR) ends near 0 where the generator ignores D ({parts})", last["d_fake"], below=0.15
        )
    lab.expect(
        "training with D gives more than 85% of HR's sharpness",
        min(sharp["pixels + D"], sharp[ALL_THREE]),
        above=0.85,
    )
    lab.expect(
        "content loss beside the discriminator gains a fraction of a decibel",
        decibels[ALL_THREE] - decibels["pixels + D"],
        above=0,
        below=1,
        usually=True,
    )

# %% after a30f0609
if lab.recipe == "laptop":
    slow, usual = (measured[name] for name in rates)
    lab.expect("a D at a hundredth of the rate has no lead", slow[0], above=-0.03, below=0.03)
    lab.expect("G is less sharp with a slow D", usual[1] - slow[1], above=0.04)

# %% after a30f0803
if lab.recipe == "laptop" and gravel and scale == 4:
    longer = scores_of(lambda lr: shown["SRGAN, 12,000 steps"])["psnr"]
    lab.expect(
        "12,000 steps of SRGAN cost about half a decibel more",
        before + change - longer,
        above=0.3,
        below=0.9,
    )

# %% after 8a11779e
if lab.recipe == "laptop":
    misplaced = {
        name: perceptual.energy_error(picture, stones).item() for name, picture in shown.items()
    }
    lab.expect(
        "noise of equal sharpness has twice the energy error of SRGAN",
        misplaced["pretrained + noise"] / misplaced["SRGAN"],
        above=2,
    )

# %% after 6a59a526
middle_points = 0.1 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
of_the_middle = hasty[800][1](middle_points).sigmoid().mean().item()
lab.expect(
    "the usual generator covers 10 or more of 12 slices of the ring", slices(film[800][0]), above=9
)
lab.expect("a generator 10 times as fast covers at most 4 of 12 slices", pieces, below=4.01)
lab.expect(
    "the discriminator of the fast generator gives about one half in the center",
    of_the_middle,
    above=0.3,
    below=0.7,
)
