"""What lab 02 says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after ce69e776
errors = [F.mse_loss(image, face).item() for image in spoiled.values()]
lab.expect(max(errors) < 1.001 * min(errors), "all five have the same squared error")

# %% after 708e083d
of_yours = judged["your loss"]
lab.expect(max(of_yours, key=of_yours.get) == "noise", "noise is worst for the course's solution")
lab.expect(of_yours["shift"] < 0.1, "it forgives the shift")
lab.expect(
    max(of_yours["brighter"], of_yours["warmer"]) < 0.01, "it sees neither brightness nor tint"
)

# %% after 26d25943
if lab.recipe == "laptop":
    blank = (124, 356, 48, 48)  # the smoothest place of the page: top, left, height, width
    paper = {name: plots.cut(image, blank) for name, image in drawn.items()}
    across, down = (
        {name: image.diff(dim=axis).abs().mean().item() for name, image in paper.items()}
        for axis in (-1, -2)
    )
    lab.expect(across["your loss"] > 3 * across["start"], "it draws a pattern on the paper")
    more = {
        name: steps["your loss"] - steps["start"] for name, steps in (("x", across), ("y", down))
    }
    lab.expect(more["x"] > more["y"], "upright ones, or a weave")

# %% after b6165998
liked, flat = (said[f"your loss, {change}"][1] for change in CHANGES)
lab.expect(min(liked) < 0.5, "stripes make the loss about a third of what it was")
lab.expect(max(abs(cost - 1) for cost in flat) < 0.01, "to a tint it says nothing")
if lab.recipe == "laptop":
    lab.expect(min(liked) in liked[3:5], "it takes three or four levels of them")
    lab.expect(min(said["the sum, stripes"][1]) < 0.85, "the sum falls with stripes as well")
lab.expect(min(said["the sum, tint"][1][1:]) > 1, "the sum is against the tint")

# %% after c37aa0b7
of_eyes = by_eye["vgg6"]
lab.expect(max(of_eyes, key=of_eyes.get) == "blur", "the blur is the worst of the five")
lab.expect(of_eyes["shift"] < 0.5, "the shift costs less than half of it")
lab.expect(of_eyes["noise"] < of_eyes["shift"], "the noise costs less than the shift")
lab.expect(of_eyes["shift"] > 5 * judged["your loss"]["shift"], "it still knows a shift")
by_chance = by_eye["random weights"]
for name in ("brighter", "warmer"):
    lab.expect(of_eyes[name] < 0.1, f"{name} costs next to nothing")
    lab.expect(by_chance[name] > 5 * of_eyes[name], f"random weights mind {name} far more")
lab.expect(by_chance["noise"] > 2 * of_eyes["noise"], "and the noise")

# %% after 5d1c7e90
stripes, tint = (said_by_vgg6[f"vgg6, {change}"][1] for change in CHANGES)
if lab.recipe == "laptop":  # another start has other faults
    lab.expect(0.975 < min(stripes) < 0.995, "stripes gain next to nothing")
    lab.expect(max(abs(cost - 1) for cost in stripes[:6]) < 0.025, "faint ones are nearly as good")
    lab.expect(stripes[8] > 1.08 and stripes[12] > 1.4, "many stripes cost")
    by_pixels = said_by_vgg6["squared error, tint"][1]
    lab.expect(by_pixels[12] > 2, "the squared error minds the tint")
    lab.expect(max(abs(cost - 1) for cost in tint) < 0.03, "a tint is nearly the same to it")
    for colour in ([-1, 0, 1], [-1, 1, -1], [1, -1, 1]):  # colder, green, violet
        change = torch.tensor(colour).view(3, 1, 1)
        tinted = soft + 8 / 255 * change / change.float().square().mean().sqrt() * (2 / 3) ** 0.5
        ratio = by_vgg6(tinted, writing) / by_vgg6(soft, writing)
        lab.expect(abs(ratio - 1) < 0.03, f"other tints as well: {colour}")

# %% after 62aff2fa
if lab.relative and lab.content == "mse":
    lab.expect(pull["content"] > 5 * pull["pixel"], "the smaller weight pulls much harder")

# %% after 035c11b9
if lab.recipe == "laptop":
    before = scores_of(start)["psnr"]
    by_step = {row["step"]: row["val_psnr"] - before for row in history if "val_psnr" in row}
    lab.expect(by_step[25] < -0.6, "most of the loss comes in the first 25 steps")
    lab.expect(by_step[lab.iters] < -0.95, "features alone lose a decibel or more")

# %% after 68177cd8
if lab.recipe == "laptop":
    with torch.no_grad():
        trained = content_loss(srlab.blur(face, 1.5), face).item()
    asked = by_vgg6(srlab.blur(face, 1.5), face).item()
    lab.expect(abs(trained - asked) < 1e-4, "the loss that is trained is the one that was asked")
    by_name = {"start": soft, "your loss": drawn["your loss"]} | results["handwriting"]
    blank = (124, 356, 48, 48)  # the smoothest place of the page
    rough = {
        name: plots.cut(image, blank).diff(dim=-1).abs().mean().item()
        for name, image in by_name.items()
    }
    lab.expect(rough["hybrid"] < 1.6 * rough["start"], "no pattern like that of your loss")
    lab.expect(rough[method] < rough["your loss"], "a fainter one by the features alone")
    comb = {}
    for name, image in results["face"].items():
        grey = 255 * plots.cut(image, (76, 192, 20, 60)).mean(dim=(0, 1))
        near = F.avg_pool2d(F.avg_pool2d(grey[None], (1, 4), 1), (1, 2), 1)[0]  # without stripes
        columns = (grey[:, 2:-2] - near).reshape(20, -1, 4).mean(dim=(0, 1))
        comb[name] = ((columns.max() - columns.min()) / 2).item()
    lab.expect(
        0.7 < comb[method] < 3.5, "upright lines on the forehead, one to three levels strong"
    )
    lab.expect(comb["hybrid"] < 0.9 * comb[method], "they are weaker with pixels in the loss")
    lab.expect(comb["hybrid"] > 2 * comb["squared error"], "but not gone")
    for name, hr in (("face", portrait), ("handwriting", writing)):
        red, green, blue = 255 * (results[name][method] - hr).mean(dim=(0, 2, 3))
        lab.expect(green > max(red, blue) + 1, f"the {name} turns green")

# %% after 5b1d7c2e
if lab.recipe == "laptop":
    spot = {name: 255 * image[0, :, 54, 167:169].mean().item() for name, image in end.items()}
    paper = 255 * writing[0, :, 54, 167:169].mean().item()
    lab.expect(spot["hybrid"] < spot["squared error"] - 8, "the hybrid draws firmer ink there")
    lab.expect(spot["hybrid"] < paper - 30, "with ink where HR has paper")

# %% after 884d4dc8
if lab.recipe == "laptop":
    last = ladder.psnr - ladder.psnr["start"]
    lab.expect(-0.4 < last["squared error"] < 0.2, "the squared error stays near the start")
    lab.expect(-2.2 < last[method] < -1, "features alone cost more than a decibel")
    lab.expect(last[method] + 0.1 < last["hybrid"] < -0.3, "the hybrid loses less")
    lab.expect(-2.2 < last["your loss"] < -1, "the course's solution as well")
    lab.expect(last["hybrid"] > -1.4, "it costs a decibel or so")
    lab.expect(1.4 < ladder.colour_shift[method] < 2.8, "features alone tint by about two levels")
    lab.expect(ladder.colour_shift["hybrid"] < 0.4, "a fifth of the pull holds the colour")
    lab.expect(ladder.colour_shift["your loss"] < 0.2, "stripes bring no tint")

# %% after 1c772845
if lab.recipe == "laptop" and not photo:
    drawn_stones = last_look | {"HR": hr}
    busy = {name: image.diff(dim=-1).abs().mean().item() for name, image in drawn_stones.items()}
    lab.expect(busy["your loss"] > busy["HR"], "it makes the stones as busy as HR's")
    lab.expect(busy["start"] < busy["hybrid"] < 0.8 * busy["HR"], "the hybrid's have less of it")

# %% after 46f14b00
at_one = {name: values[1] for name, (_, values) in by_shift.items()}
lab.expect(0.85 < at_one["relu1_2"] < 1.15, "a pixel of shift is as bad as a blur of 1.5")
ratio = at_one["relu1_2"] / at_one["pixels"]
lab.expect(0.5 < ratio < 0.65, "that's little more than half of what it costs the pixels")
lab.expect(at_one["relu1_2"] > at_one["relu2_2"] > at_one["relu3_2"], "the deeper, the less")
lab.expect(by_shift["relu3_2"][1][2] < 0.25, "the third hardly notices two pixels")

# %% after c2e84a17
first, second, third = (min(said_by_stage[f"{stage}, stripes"][1]) for stage in STAGES)
if lab.recipe == "laptop":
    lab.expect(third < 0.75, "stripes take away a third of the third stage's loss")
    lab.expect(third + 0.1 < second < 0.95, "the second follows at a distance")
    lab.expect(first > 0.98, "the first stage doesn't fall for stripes")

# %% after f1d1658c
reach = probes.input_statistics(plain, face)[1]
lab.expect(0.2 < reach < 0.3, "plain input has a quarter of the contrast")
noise = [costs["noise"] for costs in by_input.values()]
lab.expect(0.4 < noise[1] / noise[0] < 0.7, "the noise costs little more than half")
