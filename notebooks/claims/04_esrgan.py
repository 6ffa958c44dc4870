"""What lab 04 claims about its results; srlab/course/claims.py explains how these blocks run."""

# %% after b4a5dffb
big = sizes["RRDBNet, 23 blocks of 64 channels"]
lab.expect("ESRGAN's generator has 16.7 million parameters", big == 16_697_987)
lab.expect(
    "ESRGAN's generator is 11 times the size of SRResNet",
    big / sizes["SRResNet"],
    above=10.5,
    below=11.5,
)
if lab.size == "laptop" and not (lab.num_blocks or lab.num_features or lab.growth):
    for unit, measured in {"parameters": sizes, "convolutions": depths}.items():
        lab.expect(
            f"your RRDBNet has nearly three times the {unit} of lab 03's generator",
            measured["yours"] / measured["lab 03's generator"],
            above=2.5,
            below=3,
        )

# %% after 59749e67
lab.expect(
    "the photo with logit 0 gets 0.62 in the average game", round(says["photo", 0.0], 2) == 0.62
)
lab.expect(
    "the SR patch with logit 0 gets 0.27 in the average game", round(says["SR", 0.0], 2) == 0.27
)

# %% after 716290e0
lab.expect(
    "the discriminator's relativistic loss of the four logits is 0.497",
    round(ragan_discriminator_loss(photos, fakes).item(), 3) == 0.497,
)

# %% after 18b0e220
lab.expect(
    "the half about photos sends about half of the gradient to SR", share, above=0.4, below=0.6
)
lab.expect(
    "the half about photos pulls equally at both SR patches",
    [round(value, 2) for value in pulls["about photos"].tolist()] == [-0.39, -0.39],
)
lab.expect(
    "the half about SR pulls hardest at the worse SR patch",
    [round(value, 2) for value in pulls["about SR"].tolist()] == [-0.37, -0.44],
)

# %% after 0afbe511
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
    apart = max(decibels.values()) - min(decibels.values())
    lab.expect("the table has both generators in both games", len(decibels) == 4)
    lab.expect("all four GANs are within 0.4 dB of PSNR", apart, below=0.4)
    tint = {
        name: (picture.amax(1) - picture.amin(1)).mean().item() for name, picture in squares.items()
    }
    rrdb_row = min(tint["ESRGAN"], tint["RRDBNet, vanilla game"])
    other_row = max(tint["SRGAN"], tint["lab 03's generator, average game"])
    lab.expect(
        "RRDBNet has more false color than lab 03's generator",
        rrdb_row / other_row,
        above=1,
        ratio=True,
    )

# %% after 15ae97f0
if lab.recipe == "laptop" and gravel and theirs is not None:
    lab.expect(
        "your ESRGAN beats Real-ESRGAN by about 2.5 dB on the gravel",
        won["yours"] - won["RealESRGAN"],
        above=2.0,
        below=3.0,
    )
    lab.expect(
        "the start beats bicubic in PSNR on the gravel", won["start"] - won["bicubic"], above=0
    )
    lab.expect(
        "bicubic beats your ESRGAN in PSNR on the gravel", won["bicubic"] - won["yours"], above=0
    )

# %% after 711fb646
scored = {label: float(said.split()[0]) for label, said in precomputed.row("brick")[1].items()}
lab.expect(
    "two minutes of training beat Real-ESRGAN by over 11 dB on the bricks",
    scored["two minutes"] - scored["RealESRGAN"],
    above=11,
)
lab.expect(
    "two minutes of training beat their start in PSNR on the bricks",
    scored["two minutes"] > scored["RRDB"],
)
lab.expect("Real-ESRGAN's bricks get all 25 votes for looks", duels["brick"]["looks"] == 0)

# %% after a7d201a9
lab.expect("two minutes of training win by looks on the cloth alone", won_by_looks == ["a cloth"])
lab.expect(
    "two minutes of training get 24 of 25 votes on the cloth, none on the others",
    [duels[row]["looks"] for row in ROWS.values()] == [24, 0, 0, 0],
)
for name, kept_row in ROWS.items():
    scored = {label: float(said.split()[0]) for label, said in precomputed.row(kept_row)[1].items()}
    lab.expect(f"the start has the highest PSNR on {name}", max(scored, key=scored.get) == "RRDB")
    ahead, behind = "bicubic", "two minutes"
    if name == "a cloth":
        ahead, behind = behind, ahead
    lab.expect(f"PSNR ranks {ahead} above {behind} on {name}", scored[ahead] > scored[behind])

# %% after 85e9aad9
wins = {by: sum(duel[by] > 12 for duel in duels.values()) for by in ("looks", "nearness")}
lab.expect("two minutes of training win four of six by nearness", wins["nearness"] == 4)
lab.expect("two minutes of training win two of six by looks", wins["looks"] == 2)
lab.expect(
    "two minutes of training win all six by PSNR",
    all(duel["psnr"][0] > 0 for duel in duels.values()),
)

# %% after 28216f75
if lab.recipe == "laptop" and gravel and scale == 4:
    on_the_way = [scores_of(mixture(alpha))["psnr"] for alpha in (0.0, 0.25, 0.5, 0.75, 1.0)]
    losses_of_psnr = -torch.tensor(on_the_way).diff()
    first, second = losses_of_psnr[:2].sum(), losses_of_psnr[2:].sum()
    lab.expect("PSNR falls at each step from the start to ESRGAN", losses_of_psnr.min(), above=0)
    lab.expect("the mixture loses less than a decibel of PSNR half way", first, below=1)
    lab.expect(
        "the second half of the mixture loses more PSNR than the first",
        second - first,
        above=0,
        usually=True,
    )

# %% after 857c29b5
if lab.recipe == "laptop" and gravel and scale == 4 and not photo:
    on_cat = {name: srlab.psnr(srlab.quantize(sr), mine).item() for name, sr in versions.items()}
    ranking = [name for name in ("start", "bicubic", "yours", "RealESRGAN") if name in on_cat]
    margins = -torch.tensor([on_cat[name] for name in ranking]).diff()
    lab.expect(
        "PSNR on the cat ranks start, bicubic, your ESRGAN, Real-ESRGAN", margins.min(), above=0
    )

# %% after b82cbea5
ends = {name: values[-1] for name, (_, values) in growing.items()}
beyond_formula = ends["beta = 1.0"] / 2**23
lab.expect("a signal more than doubles in each block at beta 1", beyond_formula, above=1)
lab.expect(
    "a signal grows to about three times the formula at beta 1", beyond_formula, above=2, below=5
)
lab.expect(
    "a signal grows about 66 times at beta 0.2, as in the formula",
    ends["beta = 0.2"],
    above=40,
    below=110,
)

# %% after 6e6cfd51
if zeros and backbone == "auto":
    lab.expect("more than 50% of the values after the ReLU are zero", zeros["relu2_2"], above=50)
    lab.expect("less than 1% of the values before the ReLU are zero", zeros["conv2_2"], below=1)
    left = (drawn["relu2_2"] - 0.5).abs().max() / (drawn["conv2_2"] - 0.5).abs().max()
    lab.expect("the ReLU leaves nothing of the map that loses most", left, below=0.05)
