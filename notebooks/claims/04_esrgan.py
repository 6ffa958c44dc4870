"""What lab 04 says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after b4a5dffb
big = sizes["RRDBNet, 23 blocks of 64 channels"]
lab.expect(big == 16_697_987, "the network of the first screen has 16.7 million numbers")
lab.expect(10.5 < big / sizes["SRResNet"] < 11.5, "eleven times as many as SRResNet")
if lab.size == "laptop" and not (lab.blocks or lab.width or lab.growth):
    for measured in (sizes, depths):
        times = measured["yours"] / measured["lab 03's generator"]
        lab.expect(2.5 < times < 3, "yours is nearly three times as large as lab 03's generator")

# %% after 59749e67
lab.expect(round(says["photo", 0.0], 2) == 0.62, "of the photo D is sure to 0.62")
lab.expect(round(says["SR", 0.0], 2) == 0.27, "of the SR patch to 0.27")

# %% after 716290e0
lab.expect(
    round(ragan_discriminator_loss(photos, fakes).item(), 3) == 0.497, "D's loss of the four"
)

# %% after 18b0e220
lab.expect(0.4 < share < 0.6, "about half of the gradient comes from the half about photos")
lab.expect(
    [round(value, 2) for value in pulls["about photos"].tolist()] == [-0.39, -0.39],
    "the half about photos pulls at all SR patches alike",
)
lab.expect(
    [round(value, 2) for value in pulls["about SR"].tolist()] == [-0.37, -0.44],
    "the other half pulls hardest at the worst patch",
)

# %% after 0afbe511
lab_of_start, _, stage = origin.partition("/")
if lab_of_start == lab.name:
    course = [row["val_psnr"] for row in srlab.Run(lab.name, stage).metrics() if "val_psnr" in row]
    lab.expect(course[-1] - course[0] >= lab.min_progress, "the first stage beats its own start")

# %% after a5d77f34
usual = lab.recipe == "laptop" and gravel and scale == 4
if usual:
    late = [row for row in history if row["step"] > 0.75 * lab.iters and "d_real" in row]
    real, fake = (sum(row[key] for row in late) / len(late) for key in ("d_real", "d_fake"))
    opinion = srlab.diagnose(srlab.Run(lab.name, lab.run))
    lab.expect(-2.3 < change < -1.5, "PSNR falls by about two decibels")
    lab.expect(-lab.max_loss < before + change - by_bicubic < 0, "to a little below bicubic")
    reached = [row["val_psnr"] for row in history if row.get("step") == 50 and "val_psnr" in row]
    lab.expect(all(one - before < 0.6 * change for one in reached), "most of it in 50 steps")
    lab.expect(0.65 < real < 0.87, "D(HR) ends at about three quarters")
    lab.expect(0.12 < fake < 0.3, "and D(SR) at about a quarter or less")
    lab.expect(not opinion.findings, "nothing looks wrong")

# %% after 2d984ff8
if lab.recipe == "laptop" and gravel and scale == 4:
    apart = max(decibels.values()) - min(decibels.values())
    lab.expect(len(decibels) == 4, "the generators of both labs in both games")
    lab.expect(apart < 0.2, "by PSNR all four are within 0.2 dB")
    tint = {
        name: (picture.amax(1) - picture.amin(1)).mean().item() for name, picture in squares.items()
    }
    calmer = min(tint["ESRGAN"], tint["RRDBNet, vanilla game"])
    other_row = max(tint["SRGAN"], tint["lab 03's generator, average game"])
    lab.expect(calmer > 1.3 * other_row, "the RRDBNet's row has half as much false colour again")

# %% after 15ae97f0
if lab.recipe == "laptop" and gravel and theirs is not None:
    ahead = won["yours"] - won["RealESRGAN"]
    lab.expect(2.0 < ahead < 3.0, "yours is ahead by about 2.5 decibels")
    lab.expect(
        won["start"] > won["bicubic"] > won["yours"], "bicubic and the start are ahead of both"
    )

# %% after 711fb646
scored = {label: float(said.split()[0]) for label, said in kept.row("brick")[1].items()}
lab.expect(scored["two minutes"] - scored["RealESRGAN"] > 11, "more than eleven decibels ahead")
lab.expect(scored["two minutes"] > scored["RRDB"], "and ahead of their start")
lab.expect(duels["brick"]["looks"] == 0, "all 25 votes went to RealESRGAN's bricks")

# %% after a7d201a9
lab.expect(won_by_looks == ["a cloth"], "the cloth, and only that")
lab.expect([duels[row]["looks"] for row in ROWS.values()] == [24, 0, 0, 0], "24 of 25, and none")
for name, kept_row in ROWS.items():
    scored = {label: float(said.split()[0]) for label, said in kept.row(kept_row)[1].items()}
    lab.expect(max(scored, key=scored.get) == "RRDB", "the start has the highest PSNR on all four")
    ahead = scored["two minutes"] > scored["bicubic"]
    lab.expect(ahead == (name == "a cloth"), "bicubic is ahead on all but the cloth")

# %% after 85e9aad9
ahead = {by: [duel[by] > 12 for duel in duels.values()] for by in ("looks", "nearness")}
lab.expect(
    (sum(ahead["nearness"]), sum(ahead["looks"])) == (4, 2), "four by nearness, two by looks"
)
lab.expect(all(duel["psnr"][0] > 0 for duel in duels.values()), "and all six by PSNR")

# %% after 28216f75
if lab.recipe == "laptop" and gravel and scale == 4:
    on_the_way = [scores_of(mixture(alpha))["psnr"] for alpha in (0.0, 0.25, 0.5, 0.75, 1.0)]
    lab.expect(on_the_way == sorted(on_the_way, reverse=True), "PSNR falls all along the way")
    lab.expect(on_the_way[0] - on_the_way[2] < 1, "half way less than a decibel is gone")
    first, second = on_the_way[0] - on_the_way[2], on_the_way[2] - on_the_way[4]
    lab.expect(second > first, "the second half costs more than the first")

# %% after 857c29b5
if lab.recipe == "laptop" and gravel and scale == 4 and not photo:
    on_cat = {name: srlab.psnr(srlab.quantize(sr), mine).item() for name, sr in versions.items()}
    by_psnr = sorted(on_cat, key=on_cat.get, reverse=True)
    wanted = [name for name in ("start", "bicubic", "yours", "RealESRGAN") if name in on_cat]
    lab.expect(by_psnr == wanted, "the start, bicubic, yours and RealESRGAN, by PSNR on the cat")

# %% after b82cbea5
ends = {name: values[-1] for name, (_, values) in growing.items()}
lab.expect(ends["beta = 1.0"] > 2**23, "without scaling a signal at least doubles in each block")
lab.expect(2 < ends["beta = 1.0"] / 2**23 < 5, "that makes about three times the formula")
lab.expect(40 < ends["beta = 0.2"] < 110, "with beta 0.2 it grows as the formula says, 66 times")

# %% after 6e6cfd51
if zeros and backbone == "auto":
    lab.expect(zeros["relu2_2"] > 50, "more than half of the values is zero behind the ReLU")
    lab.expect(zeros["conv2_2"] < 1, "and hardly any before")
    left = (drawn["relu2_2"] - 0.5).abs().max() / (drawn["conv2_2"] - 0.5).abs().max()
    lab.expect(left < 0.05, "of the map that loses most nothing is left behind the ReLU")
