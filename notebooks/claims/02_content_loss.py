"""What lab 02 says of its results; srlab/cli/claims.py says how these blocks are run."""

# %% after 26d9129c
if lab.recipe == "laptop":
    lab.expect(learned.which.iloc[-1] > 16, "it learns to tell the photos apart")

# %% after f6d75a8b
lab.expect(busy["pixels"] < 0.6, "the nearest by pixels are flatter than what was wanted")
lab.expect(busy["course's"] > busy["pixels"] + 0.3, "trained features look for what is as busy")
lab.expect(busy["course's"] > busy["random"] + 0.15, "random features do so less")

# %% after c37aa0b7
own, random = reactions["course's"], reactions["random"]
lab.expect(own["shift"] < 0.1, "trained features forgive a small shift")
lab.expect(own.idxmax() == "blur", "trained features find the blur worst of the five")
lab.expect(random["shift"] > 3 * own["shift"], "random ones mind the shift more")
lab.expect(random["warmer"] > own["warmer"], "and the tint as well")

# %% after 564a6ac1
by_depth = [values[1] for values in swept["course's"]["shift"].values()]
lab.expect(by_depth[1:] == sorted(by_depth[1:], reverse=True), "deeper layers forgive a shift more")
lab.expect(by_depth[-1] < 0.1 * by_depth[0], "the deepest forgives it ten times more than pixels")
blurs = [values == sorted(values) for values in swept["course's"]["blur"].values()]
lab.expect(all(blurs), "more blur is further away for every layer")

# %% after f1d1658c
reach = probes.input_statistics(plain, face)[1]
lab.expect(reach < 0.5, "the plain input gives itself away by its deviation")
change = by_input["normalised"] / by_input["plain [0, 1]"]
lab.expect((change - 1).abs().max() > 0.1, "the input matters")

# %% after 62aff2fa
if lab.relative and lab.content == "mse":
    lab.expect(
        pull["content"] > 5 * pull["pixel"], "the part with the smaller weight pulls much harder"
    )

# %% after 55eb5355
last = {name: points[1][-1] for name, points in curves_of_runs.items()}
if lab.recipe == "laptop":
    lab.expect(last[method] < before - 0.3, "features alone cost PSNR")
    lab.expect(last["MSE"] > last[method] + 0.3, "the squared error keeps it")
    lab.expect(last[method] < last["hybrid"], "the hybrid lies above features alone")

# %% after 884d4dc8
by_content, by_mse = ladder.loc[method], ladder.loc["MSE"]
if lab.recipe == "laptop":
    lab.expect(by_content.gradient_ratio > by_mse.gradient_ratio + 0.1, "features make it sharper")
    for name in {"astronaut", "chelsea", "text"} & set(unseen.names):
        gain = misplaced[name]["MSE"] - misplaced[name][method]
        lab.expect(gain > 0.02, f"on {name} with structure where HR has it")
        noise, plain = (misplaced[name][other] - misplaced[name][method] for other in untaught)
        lab.expect(noise > 0.01, f"noise of the same sharpness does less on {name}")
        least = -0.03 if name == "chelsea" else 0  # there the filter is ahead with one seed of four
        lab.expect(least < plain < noise, f"a plain filter comes nearer than noise on {name}")
    if "brick" in unseen.names:
        lab.expect(sharpness.brick[method] > 1.15, "bricks become sharper than their photo")
    lab.expect(by_content.colour_shift > by_mse.colour_shift + 0.3, "they hold the colour less")
    lab.expect(by_content.checkerboard > by_mse.checkerboard + 0.3, "and draw a grid")
if lab.recipe == "laptop" and "random features" in ladder.index:
    by_random = ladder.loc["random features"]
    lab.expect(by_content.gradient_ratio > by_random.gradient_ratio + 0.1, "random features do not")
    for name in {"astronaut", "chelsea", "text"} & set(unseen.names):
        gain = misplaced[name]["random features"] - misplaced[name][method]
        lab.expect(gain > 0.02, f"trained features find its place on {name}")
if lab.recipe == "laptop":
    hybrid = ladder.loc["hybrid"]
    lab.expect(hybrid.colour_shift < by_content.colour_shift, "a share of pixels holds the colour")
    lab.expect(hybrid.gradient_ratio > by_mse.gradient_ratio + 0.05, "and stays sharper than MSE")

# %% after d8c45296
if lab.recipe == "laptop" and not lab.pixel_weight:
    fallen = {place: by["start"] - by[method] for place, by in asked.items()}
    lab.expect(fallen["trained on"] > 0.05, "its loss falls on what it trains on")
    lab.expect(fallen["text"] > 0.03, "and on the handwriting")
    lab.expect(fallen["brick"] < -0.15, "but rises on the bricks")
    lab.expect(fallen["astronaut"] < -0.02, "and on the astronaut")
    unseen_mean = by_place["mean unseen"]
    lab.expect(unseen_mean["start"] < unseen_mean[method], "so the start is better in the mean")
    behind = max(by["hybrid"] - by[method] for by in list(asked.values())[1:])
    lab.expect(behind < 0.01, "the hybrid is nowhere worse on unseen photos")

# %% after 90ebdf21
if lab.recipe == "laptop" and lab.features.startswith("vgg6") and not lab.pixel_weight:
    at_four = {name: values[2] for name, (_, values) in objections.items()}
    lab.expect(
        at_four["squared error"] > 1.04, "the squared error objects to stripes of four levels"
    )
    lab.expect(at_four["random features"] > 1.03, "and so do random features")
    lab.expect(at_four[method] < 1.01, "the content loss does not")
    at_eight = {name: values[4] for name, (_, values) in objections.items()}
    flat_ones = at_eight[f"{method}, horizontal"]
    lab.expect(flat_ones > at_eight[method] + 0.1, "but it minds horizontal ones")
