"""What lab 04 claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after 04e1a003
full = RRDBNet()
big = srlab.parameter_count(full)
lab.expect("ESRGAN's generator has 16.7 million parameters", big == 16_697_987)
convolutions = sum(isinstance(layer, nn.Conv2d) for layer in full.modules())
lab.expect("ESRGAN's generator has 351 convolutions", convolutions == 351)
lab.expect(
    "ESRGAN's generator is 11 times the size of SRResNet",
    big / srlab.parameter_count(models.SRResNet()),
    above=10.5,
    below=11.5,
)

# %% after 04e20005
lab.expect(
    "your network computes what srlab's does",
    max(row["largest difference"] for row in rows.values()),
    below=1e-4,
)
if published:
    growth = rows["body.22"]["size of the output"] / rows["conv_first"]["size of the output"]
    lab.expect(
        "the signal in Real-ESRGAN grows to less than twice its size", growth, above=1, below=2
    )

# %% after d1f65d02
photos, fakes = (
    torch.tensor([2.0, 0.0]),
    torch.tensor([0.0, -1.0]),
)  # the four logits of the example
lab.expect(
    "the discriminator's relativistic loss of the four logits is 0.497",
    round(ragan_discriminator_loss(photos, fakes).item(), 3) == 0.497,
)
lab.expect(
    "the generator's relativistic loss of the four logits is 3.497",
    round(ragan_generator_loss(fakes, photos, lambda image: image).item(), 3) == 3.497,
)

# %% after 0afbe514
lab_of_start, _, stage = origin.partition("/")
if lab_of_start == lab.name:
    course = [row["val_psnr"] for row in srlab.Run(lab.name, stage).metrics() if "val_psnr" in row]
    gained = course[-1] - course[0] > lab.min_progress  # in smoke, which runs with one seed
    lab.expect("the first stage gains PSNR over its fresh network", gained)

# %% after a5d77f34
usual = lab.recipe == "laptop" and gravel and scale == 4
if usual:
    late = [row for row in history if row["step"] > 0.75 * lab.iters and "d_real" in row]
    real, fake = (sum(row[key] for row in late) / len(late) for key in ("d_real", "d_fake"))
    opinion = course.diagnose(srlab.Run(lab.name, lab.run))
    lab.expect("ESRGAN loses about two decibels of PSNR", change, above=-2.3, below=-1.5)
    lab.expect(
        "ESRGAN ends a little below bicubic in PSNR",
        before + change - by_bicubic,
        above=-lab.max_psnr_drop,
        below=0,
    )
    reached = [row["val_psnr"] for row in history if row.get("step") == 50 and "val_psnr" in row]
    if reached:
        lab.expect(
            "50 steps cause more than half of ESRGAN's loss of PSNR",
            (max(reached) - before) / change,
            above=0.5,
        )
    lab.expect("D(HR) ends at about three quarters", real, above=0.6, below=0.9)
    lab.expect("D(SR) ends at about a quarter", fake, above=0.12, below=0.35)
    lab.expect(
        "course.diagnose finds nothing wrong with the training", len(opinion.findings), below=1
    )

# %% after 2d984ff8
if lab.recipe == "laptop" and gravel and scale == 4:
    of_lab_3 = max(value for name, value in tint.items() if name.startswith("lab 03's"))
    lab.expect(
        "RRDBNet has more false color than lab 03's generator",
        tint["ESRGAN"] / of_lab_3,
        above=1,
        ratio=True,
    )
    lab.expect(
        "RRDBNet with lab 03's loss has more false color than lab 03's generator",
        tint["RRDBNet with lab 03's loss"] > 1.2 * of_lab_3,
    )

# %% after 15ae97f0
if lab.recipe == "laptop" and gravel and theirs is not None:
    lab.expect(
        "your ESRGAN beats Real-ESRGAN by about 2.5 dB on the gravel",
        psnrs["ESRGAN"] - psnrs["Real-ESRGAN"],
        above=2.0,
        below=3.0,
    )
    lab.expect(
        "the pretrained network beats bicubic in PSNR on the gravel",
        psnrs["pretrained"] - psnrs["bicubic"],
        above=0,
    )
    lab.expect(
        "bicubic beats your ESRGAN in PSNR on the gravel",
        psnrs["bicubic"] - psnrs["ESRGAN"],
        above=0,
    )

# %% after 04e6000d
if lab.recipe == "laptop" and scale == 4 and not photo:
    on_clean, on_degraded = learned
    kinds_of_lr = (on_clean, "clean LR", on_degraded), (on_degraded, "degraded LR", on_clean)
    for own, kind, other in kinds_of_lr:
        by_bicubic_here = by_input["bicubic"][kind]
        ahead, behind = (
            by_input[own][kind] - by_bicubic_here,
            by_bicubic_here - by_input[other][kind],
        )
        lab.expect(f"on {kind} of the cat, the copy of that kind beats bicubic", ahead, above=0)
        lab.expect(f"on {kind} of the cat, bicubic beats the other copy", behind, above=0)
    borders = {name: block_steps(image) for name, image in shown.items()}
    weaker, stronger = (borders[copy] / borders["bicubic"] for copy in (on_degraded, on_clean))
    lab.expect("the copy trained on degraded LR weakens the blocks", weaker, below=1, ratio=True)
    lab.expect("the copy trained on clean LR sharpens the blocks", stronger, above=1, ratio=True)
    others = srlab.bundled_photos("validation")
    for name in sorted(set(others.names) - {"chelsea"}):
        hr = srlab.mod_crop(others[name], scale)
        degraded = make_poor(hr, scale, torch.Generator().manual_seed(0))
        for lr, (own, kind, other) in zip(
            (srlab.downsample(hr, scale), degraded), kinds_of_lr, strict=True
        ):
            of_own, of_other = (
                srlab.psnr(srlab.upscale(learned[copy], lr), hr).item() for copy in (own, other)
            )
            lab.expect(
                f"on {kind} of {name}, the copy of that kind is ahead",
                of_own - of_other,
                above=0,
                usually=name == "brick",
            )

# %% after 711fb646
scored_psnr = {
    name: {label: value["psnr"] for label, value in score.items()} for name, score in scored.items()
}
gaps = {name: row["two minutes"] - row["Real-ESRGAN"] for name, row in scored_psnr.items()}
lab.expect("PSNR prefers two minutes of training on all five photos", min(gaps.values()) > 0)
lab.expect(
    "the gap is 0.1 dB on the lawn and 11 dB on the bricks",
    [round(gaps[name], 1) for name in ("a lawn", "bricks")] == [0.1, 11.2],
)

# %% after 28216f75
if lab.recipe == "laptop" and gravel and scale == 4:
    path = [ends["pretrained"][0], *curve.PSNR, ends["ESRGAN"][0]]
    lab.expect(
        "PSNR falls at each step from the pretrained network to ESRGAN",
        -torch.tensor(path).diff().max(),
        above=0,
    )
    ratio_of_distances = (curve.network / curve.image)[[0.4, 0.6]].mean()
    lab.expect(
        "in the middle a mixed network's patch distance is well below a mixed image's",
        ratio_of_distances,
        above=0.1,
        below=0.8,
        ratio=True,
    )
    lab.expect("ESRGAN is a few percent of the weights' length away", moved, above=2, below=15)

# %% after 85e9aad9
if lab.recipe == "laptop" and gravel and scale == 4:
    leads = {}
    for name in set(arena.names) - {"brick"}:
        searched = srlab.mod_crop(arena[name], scale)
        tops, lefts = (range(0, side - 95, 48) for side in searched.shape[-2:])
        leads[name] = [lead_of(crops_at(y, x, searched)) for y in tops for x in lefts]
    ahead_on = {name: sum(lead > 0 for lead in found) / len(found) for name, found in leads.items()}
    every = torch.cat([torch.tensor(found) for found in leads.values()])
    lab.expect("the search tries 137 crops", len(every) == 137)
    lab.expect(
        "your ESRGAN is ahead on a fifth of the crops of the astronaut",
        ahead_on["astronaut"],
        above=0.05,
        below=0.35,
    )
    lab.expect("your ESRGAN is ahead on almost no crop of the cat", ahead_on["chelsea"], below=0.1)
    lab.expect("the largest lead is over 0.5 dB", every.max(), above=0.5, below=3, usually=True)
    lab.expect("in the median SRGAN is ahead by a decibel", -every.median(), above=0.3, below=2)

# %% after 857c29b5
if lab.recipe == "laptop" and gravel and scale == 4 and not photo:
    on_cat = {name: srlab.psnr(srlab.quantize(sr), mine).item() for name, sr in versions.items()}
    ranking = [
        name for name in ("pretrained", "bicubic", "ESRGAN", "Real-ESRGAN") if name in on_cat
    ]
    margins = -torch.tensor([on_cat[name] for name in ranking]).diff()
    lab.expect(
        "PSNR on the cat ranks pretrained, bicubic, your ESRGAN, Real-ESRGAN",
        margins.min(),
        above=0,
    )
