"""What lab 02 says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after 4ddcc92e
errors = [F.mse_loss(image, face).item() for image in spoiled.values()]
lab.expect(max(errors) < 1.001 * min(errors), "all five have the same squared error")

# %% after 708e083d
of_yours = judged["your loss"]
lab.expect(max(of_yours, key=of_yours.get) == "noise", "noise is worst for the course's solution")
lab.expect(of_yours["shift"] < 0.1, "it forgives the shift")
lab.expect(
    max(of_yours["brighter"], of_yours["warmer"]) < 0.01, "it sees neither brightness nor tint"
)

# %% after a94be210
ink = plots.cut(writing, INK).mean(dim=1, keepdim=True) < 0.38
near = F.max_pool2d(ink.float(), 5, 1, 2)[0, 0] > 0
if lab.recipe == "laptop":
    for name, low, high in (("pixel", 4, 99), ("own", 0, 1.5)):
        strength = wishes[name].square()
        ratio = strength[near].mean() / strength[~near].mean()
        lab.expect(low < ratio < high, f"{name}: along the strokes, or everywhere")
    field = wishes["own"]
    below, beside = (field[1:] * field[:-1]).mean(), (field[:, 1:] * field[:, :-1]).mean()
    lab.expect(below > 0 > beside, "upright lines, brighter beside darker")

# %% after 26d25943
if lab.recipe == "laptop":
    paper = {name: plots.cut(image, plots.flattest(writing)) for name, image in drawn.items()}
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
liked, flat, minds, a_tint = (values for _, values in said.values())
lab.expect(min(liked) < 0.5, "stripes make the loss about a third of what it was")
lab.expect(max(abs(cost - 1) for cost in flat) < 0.01, "to a tint it says nothing")
lab.expect(min(minds[1:] + a_tint[1:]) > 1, "the squared error objects to both")

# %% after c37aa0b7
of_eyes = by_eye["vgg6"]
lab.expect(20 < 1 / of_eyes["shift"] < 50, "the blur costs some thirty times as much as the shift")
lab.expect(max(of_eyes, key=of_eyes.get) == "blur", "the blur is the worst of the five")
for name in ("shift", "brighter", "warmer"):
    lab.expect(of_eyes[name] < 0.1, f"{name} costs next to nothing")

# %% after 62aff2fa
if lab.relative and lab.content == "mse":
    lab.expect(pull["content"] > 5 * pull["pixel"], "the smaller weight pulls much harder")

# %% after 884d4dc8
if lab.recipe == "laptop":
    last = ladder.psnr - ladder.psnr["start"]
    lab.expect(-0.25 < last["squared error"] < 0.05, "the squared error stays where it was")
    lab.expect(-2.2 < last[method] < -1, "features alone cost more than a decibel")
    lab.expect(last[method] + 0.1 < last["hybrid"] < -0.3, "the hybrid loses less")
    lab.expect(last["hybrid"] > -1.4, "it costs a decibel or so")
    lab.expect(1.4 < ladder.colour_shift[method] < 2.8, "features alone tint by about two levels")
    lab.expect(ladder.colour_shift["hybrid"] < 0.4, "a fifth of the pull holds the colour")
    lab.expect(ladder.colour_shift["your loss"] < 0.2, "stripes bring no tint")

# %% after 46f14b00
at_one = {name: values[1] for name, (_, values) in by_shift.items()}
ratio = at_one["relu1_2"] / at_one["pixels"]
lab.expect(0.35 < ratio < 0.65, "the first stage minds a pixel about half as much as pixels do")
lab.expect(at_one["relu1_2"] > at_one["relu2_2"] > at_one["relu3_2"], "the deeper, the less")
lab.expect(by_shift["relu3_2"][1][2] < 0.25, "the third hardly notices two pixels")

# %% after f1d1658c
reach = probes.input_statistics(plain, face)[1]
lab.expect(0.2 < reach < 0.3, "plain input has a quarter of the contrast")
noise = [costs["noise"] for costs in by_input.values()]
lab.expect(noise[1] < 0.3 * noise[0], "the noise costs a small part of what it should")
