"""What lab 02 claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after ce69e776
errors = [F.mse_loss(image, face).item() for image in distorted.values()]
lab.expect("all five images have the same MSE", max(errors) / min(errors), below=1.001)

# %% after 708e083d
of_yours = judged["course's loss"]
rest = max(cost for name, cost in of_yours.items() if name != "noise")
lab.expect("noise is the worst image for the course's loss", of_yours["noise"] - rest, above=0)
lab.expect("the course's loss ignores the shift", of_yours["shift"], below=0.1)
lab.expect(
    "the course's loss ignores brightness and a color cast",
    max(of_yours["brighter"], of_yours["color cast"]),
    below=0.01,
)

# %% after a5c0f3e1
liked, flat = (asked_alone[f"course's loss, {change}"][1] for change in ADDITIONS)
lab.expect("stripes more than halve the course's loss", min(liked), below=0.5)
lab.expect(
    "the course's loss ignores a color cast", max(abs(cost - 1) for cost in flat), below=0.01
)
if lab.recipe == "laptop":
    best_strength = liked.index(min(liked))
    lab.expect(
        "the course's loss prefers stripes of 3 or 4 levels", best_strength, above=2, below=5
    )

# %% after b6165998
if lab.recipe == "laptop":
    lab.expect(
        "stripes lower the sum of MSE and the course's loss",
        min(costs_of_sum["MSE + course's loss, stripes"][1]),
        below=1,
        ratio=True,
    )
tinted_sum = costs_of_sum["MSE + course's loss, color cast"][1]
lab.expect("a color cast raises the sum of MSE and the course's loss", min(tinted_sum[1:]), above=1)

# %% after 26d25943
if lab.recipe == "laptop":
    blank = (124, 356, 48, 48)  # the smoothest place of the page: top, left, height, width
    paper = {name: plots.cut(image, blank) for name, image in drawn.items()}
    across, down = (
        {name: image.diff(dim=axis).abs().mean().item() for name, image in paper.items()}
        for axis in (-1, -2)
    )
    lab.expect(
        "the course's loss draws a pattern on the paper",
        across["MSE + course's loss"] / across["pretrained"],
        above=1,
        ratio=True,
    )
    more = [steps["MSE + course's loss"] - steps["pretrained"] for steps in (across, down)]
    lab.expect(
        "the pattern is upright stripes or a weave",
        255 * (more[0] - more[1]),
        above=0,
        usually=True,
    )

# %% after c37aa0b7
of_eyes = by_eye["vgg6"]
rest = max(cost for name, cost in of_eyes.items() if name != "blur")
lab.expect("the blur is the worst image for vgg6", of_eyes["blur"] - rest, above=0)
lab.expect("vgg6 rates the shift below half of the blur", of_eyes["shift"], below=0.5)
lab.expect("vgg6 rates noise below the shift", of_eyes["shift"] - of_eyes["noise"], above=0)
lab.expect(
    "vgg6 notices a shift more than the course's loss",
    of_eyes["shift"] / judged["course's loss"]["shift"],
    above=5,
)
by_chance = by_eye["random weights"]
for name in ("brighter", "color cast"):
    lab.expect(f"vgg6 nearly ignores this change: {name}", of_eyes[name], below=0.1)
    lab.expect(
        f"random weights penalize this change more: {name}",
        by_chance[name] / of_eyes[name],
        above=1,
        ratio=True,
    )
lab.expect(
    "random weights penalize noise more than vgg6 does",
    by_chance["noise"] / of_eyes["noise"],
    above=1,
    ratio=True,
)

# %% after 5d1c7e90
stripes, tint = (said_by_vgg6[f"vgg6, {change}"][1] for change in ADDITIONS)
if lab.recipe == "laptop":  # another pretrained network has other faults
    lab.expect("stripes hardly lower the vgg6 loss", min(stripes), above=0.975, below=0.995)
    faint = max(abs(cost - 1) for cost in stripes[:6])
    lab.expect("faint stripes hardly change the vgg6 loss", faint, below=0.025)
    lab.expect("stripes of 8 levels raise the vgg6 loss", stripes[8], above=1.08)
    lab.expect("stripes of 12 levels raise the vgg6 loss far more", stripes[12], above=1.4)
    by_pixels = said_by_vgg6["MSE, color cast"][1]
    lab.expect("a color cast of 12 levels doubles the MSE", by_pixels[12], above=2)
    lab.expect(
        "a color cast hardly changes the vgg6 loss", max(abs(c - 1) for c in tint), below=0.03
    )
    for color, rgb in {"colder": [-1, 0, 1], "green": [-1, 1, -1], "violet": [1, -1, 1]}.items():
        change = torch.tensor(rgb).view(3, 1, 1)
        tinted = soft + 8 / 255 * change / change.float().square().mean().sqrt() * (2 / 3) ** 0.5
        ratio = by_vgg6(tinted, writing) / by_vgg6(soft, writing)
        lab.expect(f"the vgg6 loss ignores this color cast: {color}", ratio, above=0.97, below=1.03)

# %% after 7518ba04
from srlab_course.material import probes

plain = srlab.FeatureExtractor("vgg6 relu1_2 relu2_2", normalize=False)
reach = probes.input_statistics(plain, face)[1]
lab.expect("plain input has about a quarter of the contrast", 0.2 < reach < 0.3)
proper = srlab.FeatureExtractor("vgg6 relu1_2 relu2_2")
noise_costs = [ranking(seen_by(network), face)["noise"] for network in (proper, plain)]
lab.expect(
    "plain input makes noise cost about half", noise_costs[1] / noise_costs[0], above=0.4, below=0.7
)

# %% after b0991e01
if lab.recipe == "laptop":
    ten = sum(with_bug[-10:]) / sum(with_bug[:3]) * 3 / 10
    lab.expect("with the bug the loss falls to a tenth", ten, below=0.15, ratio=True)
    untouched = dots["after"][1] / dots["before"][1]
    lab.expect("an untouched vgg6 sees no such improvement", untouched, above=0.5, ratio=True)

# %% after b0991e05
if lab.recipe == "laptop":
    honest = sum(without_bug[-10:]) / sum(with_bug[-10:])
    lab.expect("the fixed loss stays far above that with the bug", honest, above=5, ratio=True)
    better = dots_without["after"][1] / dots_without["before"][1]
    lab.expect(
        "without the bug the generator gets better", better, below=1, ratio=True, usually=True
    )

# %% after 62aff2fa
if lab.relative and lab.content == "mse":
    lab.expect(
        "the content loss has most of the gradient",
        pull["content"] / pull["pixel"],
        above=5,
        ratio=True,
    )

# %% after 035c11b9
if lab.recipe == "laptop":
    before = scores_of(pretrained)["psnr"]
    by_step = {row["step"]: row["val_psnr"] - before for row in history if "val_psnr" in row}
    lab.expect("the first 25 steps cost most of the PSNR", by_step[25], below=-0.5)
    lab.expect("features alone cost about a decibel", by_step[lab.iters], above=-1.9, below=-0.7)

# %% after 68177cd8
if lab.recipe == "laptop":
    with torch.no_grad():
        trained = content_loss(srlab.blur(face, 1.5), face).item()
    asked = by_vgg6(srlab.blur(face, 1.5), face).item()
    lab.expect("the loss in training is the loss you examined", abs(trained - asked) < 1e-4)
    by_name = {"pretrained": soft, "course's loss": drawn["MSE + course's loss"]} | results[
        "handwriting"
    ]
    blank = (124, 356, 48, 48)  # the smoothest place of the page
    rough = {
        name: plots.cut(image, blank).diff(dim=-1).abs().mean().item()
        for name, image in by_name.items()
    }
    lab.expect(
        "the hybrid's paper has less of a pattern than the handmade loss's",
        rough["course's loss"] / rough["hybrid"],
        above=1,
        ratio=True,
    )
    lab.expect(
        "the hybrid's paper is nearly as smooth as the pretrained network's",
        rough["hybrid"] / rough["pretrained"],
        below=2,
        ratio=True,
    )
    lab.expect(
        "features alone draw a fainter pattern than the course's loss",
        rough[method] / rough["course's loss"],
        below=1,
    )
    for name, hr in (("face", portrait), ("handwriting", writing)):
        red, green, blue = 255 * (results[name][method] - hr).mean(dim=(0, 2, 3))
        lab.expect(f"features alone tint this image green: {name}", green - max(red, blue), above=0)

# %% after 5b1d7c2e
if lab.recipe == "laptop":
    spot = {name: 255 * image[0, :, 54, 167:169].mean().item() for name, image in end.items()}
    paper = 255 * writing[0, :, 54, 167:169].mean().item()
    lab.expect(
        "the hybrid draws darker ink at the stroke's end than MSE",
        spot["MSE"] - spot["hybrid"],
        above=1,
        ratio=True,
    )
    lab.expect("the hybrid draws ink where HR has paper", paper - spot["hybrid"], above=20)

# %% after 884d4dc8
if lab.recipe == "laptop":
    last = ladder.psnr - ladder.psnr["pretrained"]
    lab.expect("MSE stays near the pretrained network's PSNR", last["MSE"], above=-0.45, below=0.2)

    lab.expect(
        "the course's loss costs more than a decibel",
        last["MSE + course's loss"],
        above=-2.2,
        below=-1,
        usually=True,
    )
    lab.expect("the hybrid loses less than features alone", last["hybrid"] - last[method], above=0)
    lab.expect("the hybrid costs about a decibel or less", last["hybrid"], above=-1.6, below=0)
    shift_of = ladder.color_shift
    lab.expect("features alone tint by about two levels", shift_of[method], above=1.4, below=2.8)
    lab.expect("pixels in the loss keep the color", shift_of["hybrid"], below=0.4)
    lab.expect("the course's loss brings no color cast", shift_of["MSE + course's loss"], below=0.2)

# %% after 0b5e1f02
if lab.recipe == "laptop" and not lab.pixel_weight:
    mean = by_photo["held-out mean"]
    for name in ("noise", "sharpened"):
        lead = mean[method] / mean[name]
        lab.expect(
            f"in the mean this beats the content loss's network: {name}",
            lead,
            above=1,
            usually=True,
        )
    own = {place: by_photo[place][method] / by_photo[place]["pretrained"] for place in own_loss}
    lab.expect(
        "the pretrained network has the lowest content loss in the mean",
        float(mean.drop("pretrained").min() / mean["pretrained"]),
        above=1,
        usually=True,
    )
    on_training = own["training photos"]
    lab.expect("the network is better on the training photos", on_training, below=1, ratio=True)
    lab.expect("the network is better on the handwriting", own["text"], below=1, ratio=True)
    lab.expect("the network is worse on the bricks", own["brick"], above=1, ratio=True)

# %% after 0b5e1f04
if lab.recipe == "laptop" and not lab.pixel_weight:
    filtered = {
        name: content_of((sr + 0.2 * (sr - srlab.blur(sr, 2))).clamp(0, 1), hr)
        for name, (sr, hr) in held_out.items()
    }
    in_the_mean = sum(filtered.values()) / len(filtered) / by_photo["held-out mean"].min()
    lab.expect("a little sharpening has the lowest content loss in the mean", in_the_mean, below=1)
    on_text = filtered["text"] / by_photo["text"].min()
    lab.expect("on the handwriting it is behind the network", on_text, above=1, usually=True)

# %% after 1c772845
if lab.recipe == "laptop" and not photo:
    drawn_stones = last_look | {"HR": hr}
    drawn_stones["pretrained"] = srlab.upscale(pretrained, lr)
    busy = {name: image.diff(dim=-1).abs().mean().item() for name, image in drawn_stones.items()}
    lab.expect(
        "the course's loss makes gravel about as busy as HR",
        busy["MSE + course's loss"] / busy["HR"],
        above=0.9,
        below=1.25,
    )
    lab.expect(
        "the hybrid's gravel is busier than the pretrained network's",
        busy["hybrid"] / busy["pretrained"],
        above=1,
    )
    lab.expect("the hybrid's gravel is calmer than HR's", busy["hybrid"] / busy["HR"], below=0.8)
    lab.expect(
        "the gravel of features alone is calmer than HR's",
        busy[method] / busy["HR"],
        below=1,
        ratio=True,
    )

# %% after 02e70005
if lab.recipe == "laptop":
    by_pixels = costs_of["mean of fifty"]
    lab.expect("of mean, piece, and HR, the mean costs least", by_pixels < costs_of["HR"])
    lab.expect("HR costs less than a piece", costs_of["HR"] < costs_of["a piece"])
    lab.expect("going downhill saves a quarter", 0.7 < costs_of["downhill"] / by_pixels < 0.8)
    rough = {
        name: image.diff(dim=-1).abs().mean().item() for name, image in answers_to_patch.items()
    }
    lab.expect(
        "the cheapest image is as rough as a piece", rough["downhill"] / rough["a piece"] > 0.9
    )
    lab.expect("the mean is smooth", rough["mean of fifty"] / rough["a piece"] < 0.65)
    over = costs_of[method] / by_pixels
    lab.expect("the features-only network costs more than the mean", over, above=1, ratio=True)

# %% after 46f14b00
at_one = {name: values[1] for name, (_, values) in by_shift.items()}
lab.expect("a shift of a pixel costs relu1_2 as much as the blur", 0.85 < at_one["relu1_2"] < 1.15)
ratio = at_one["relu1_2"] / at_one["pixels"]
lab.expect("relu1_2 penalizes a shift about half as much as pixels do", 0.5 < ratio < 0.65)
lab.expect(
    "deeper layers ignore a shift more",
    at_one["relu1_2"] > at_one["relu2_2"] > at_one["relu3_2"],
)
lab.expect("relu3_2 hardly notices two pixels", by_shift["relu3_2"][1][2] < 0.25)

# %% after c2e84a17
first, second, third = (min(said_by_stage[f"{stage}, stripes"][1]) for stage in STAGES)
if lab.recipe == "laptop":
    lab.expect("stripes lower the third stage's loss by a quarter", third, below=0.75)
    lab.expect("stripes lower the second stage's loss less", second - third, above=0.1)
    lab.expect("stripes lower the second stage's loss by 5%", second, below=0.95)
    lab.expect("stripes do not lower the first stage's loss", first, above=0.98)
