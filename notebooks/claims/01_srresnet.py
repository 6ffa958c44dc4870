"""What lab 01 says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after 5210a193
mean, median = (answers[name][0, 0, 8] for name in answers)
lab.expect(abs(mean[4] - 0.42) < 0.01 and abs(mean[6] - 0.58) < 0.01, "the mean is a grey bar")
lab.expect(median[4] < 0.11 and median[6] > 0.89, "the median is one clear line")

# %% after 77a41e3c
lab.expect(len(stones_fit) == 50 and unlike < 1 / 255, "fifty pieces shrink to the LR patch")

# %% after ebb5cb93
melted, stayed = (fits.mean(0, keepdim=True) for fits in (stones_fit, stroke_fit))
spread, of_stroke = (stones_fit - melted).square().mean(), (stroke_fit - stayed).square().mean()
lab.expect(spread > 5 * of_stroke, "the stones differ far more than the strokes do")
lab.expect(stayed.std() > 0.6 * true_stroke.std(), "the mean still shows the stroke")
steps_of = {
    name: picture.diff(dim=-1).abs().mean()
    for name, picture in {
        "piece": stones_fit,
        "mean": stones_fit.mean(0),
        "median": stones_fit.median(0).values,
    }.items()
}
lab.expect(steps_of["median"] < 0.6 * steps_of["piece"], "the median of fifty is smooth as well")
lab.expect(steps_of["median"] < 1.1 * steps_of["mean"], "as smooth as the mean")

# %% after e299f88b
if lab.recipe == "laptop":
    lab.expect(curve[1][1] > to_beat, "your network beats bicubic within fifty steps")

# %% after b4bd7362
if lab.recipe == "laptop":
    above = [r["step"] for r in history if r.get("val_psnr", 0) > baseline.psnr.mean()]
    lab.expect(bool(above) and above[0] <= 250, "the network beats bicubic within 250 steps")

# %% after 6b53cbc5
if lab.recipe == "laptop" and set(CROPS) <= set(table.index):
    ordered = table.gained.sort_values()
    lab.expect(ordered.index[-1] == "text", "the handwriting gains most")
    lab.expect(ordered.iloc[-1] > ordered.iloc[-2] + 0.4, "by far")
    lab.expect(0.3 < ordered["chelsea"] < 0.75, "the fur gains about half a decibel")
    lab.expect(ordered["brick"] < ordered["text"] - 0.7, "the bricks gain far less")

# %% after a4c7e5d1
if lab.recipe == "laptop" and scale == 4 and set(CROPS) <= set(table.index):
    lab.expect(from_longer["brick"] > 2, "longer training gives the bricks two decibels")
    others = from_longer.drop("brick")
    lab.expect(others.max() < from_longer["brick"] - 1, "the others gain far less")
    lab.expect(others[["chelsea", "gravel"]].max() < 0.25, "fur and gravel next to nothing")

# %% after c93d58a7
if lab.recipe == "laptop" and scale == 4:
    for name, (fits, _, place) in places.items():
        drawn, mean = piece_at(yours[name], *place), fits.mean(0, keepdim=True)
        nearest = min(off(drawn, piece) for piece in fits.split(1))
        lab.expect(
            off(drawn, mean) < nearest, "the network is nearer to the mean than to any piece"
        )
        network, middle, piece = (
            paid[name][label] for label in ("your network", "mean of fifty", "one piece")
        )
        lab.expect(middle < piece, "the mean lies closer to HR than a piece")
        lab.expect(network < middle, "the network lies closest")
    stones_paid = paid["gravel"]
    lab.expect(
        max(stones_paid, key=stones_paid.get) == "one piece", "a piece of gravel is farthest"
    )
    on_stroke = paid["handwriting"]
    lab.expect(on_stroke["one piece"] < on_stroke["bicubic"], "a piece of a stroke beats bicubic")

# %% after 7959b492
mean_gain, alone = promised["mean of fifty"], promised["one piece"]
lab.expect((mean_gain > alone + 1).all(), "the mean is closer than a piece on every photo")
lab.expect(list(mean_gain.index[:2]) == ["brick", "text"], "bricks and handwriting come first")
lab.expect(mean_gain["brick"] > 4.5 and mean_gain["text"] > 1, "they gain five decibels and one")
lab.expect(mean_gain.idxmin() == "chelsea", "the fur gains least")
lab.expect(0.3 < mean_gain["chelsea"] < 0.6, "the fur gains about half a decibel")
lab.expect(mean_gain["gravel"] < 1 and mean_gain["astronaut"] < 1, "gravel and face less than one")

# %% after 83a6d4f1
if lab.recipe == "laptop" and scale == 4 and set(CROPS) <= set(table.index):
    short = beside.gained - beside.promised
    lab.expect(short.drop("brick").min() > -0.1, "the promise is kept but on the bricks")
    lab.expect(short["brick"] < -2, "the bricks fall short by decibels")
    longer = beside["gained in 6,000 steps"]
    lab.expect(longer["brick"] > 0.8 * beside.promised["brick"], "most of it is kept later")
    lab.expect(longer.is_monotonic_decreasing, "later the photos stand in the promised order")

# %% after 04c7e9d8
lab.expect(torch.equal(pixel_shuffle(parts, scale), hr), "the shuffle makes HR of its channels")
