"""What lab 01 says of its results; srlab/lab/claims.py says how these blocks are run."""

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
for fits in (stones_fit, stroke_fit):
    apart_by = (fits.mean(0) - fits.median(0).values).square().mean().sqrt()
    lab.expect(apart_by < 0.2 * fits.var(0).mean().sqrt(), "mean and median look alike")
    one, ten, fifty = (f.diff(dim=-1).abs().mean() for f in (fits, fits[:10].mean(0), fits.mean(0)))
    lab.expect(one - ten > 0.7 * (one - fifty), "most of the melting is done by ten pieces")
gaps = true_stones < 0.2
lab.expect(melted[gaps].mean() < stones_bicubic.mean() - 0.15, "the dark gaps stay")
lab.expect(stayed.min() < stroke_bicubic.min(), "the mean's stroke is darker than bicubic's")
depths = [(picture.median() - picture)[0, 0, 6:] for picture in (stayed, stroke_bicubic)]
widths = [(depth > depth.max(0).values / 2).sum() for depth in depths]
lab.expect(widths[0] < 0.9 * widths[1], "and narrower")

# %% after e299f88b
if lab.recipe == "laptop":
    lab.expect(curve[3][1] > to_beat, "your first network beats bicubic within a hundred steps")
    lab.expect(curve[-1][1] > to_beat + 0.3, "and stays ahead")
    lab.expect(to_beat - 1 < start[1] < to_beat, "it begins less than a decibel below bicubic")
    lab.expect(apart > 1, "in training and in use, batch norm gives two answers")

# %% after b4bd7362
if lab.recipe == "laptop":
    scored = [row for row in trainer.history if "val_psnr" in row]
    gains = {row["step"]: row["val_psnr"] - baseline.psnr.mean() for row in scored}
    lab.expect(gains[250] > 0.5 * gains[1000], "more than half of the gain by step 250")

# %% after 6b53cbc5
if lab.recipe == "laptop" and set(CROPS) <= set(table.index):
    ordered = table.gained.sort_values()
    lab.expect(ordered.index[-1] == "text", "the handwriting gains most")
    lab.expect(ordered.iloc[-1] > ordered.iloc[-2] + 0.4, "by far")
    lab.expect("chelsea" in ordered.index[:2], "the cat gains little")
    lab.expect(0.3 < ordered["chelsea"] < 0.75, "about half a decibel")
    lab.expect(ordered["gravel"] > 1, "the gravel gains more than a decibel")
    lab.expect(ordered["brick"] < ordered["gravel"], "the bricks less than the gravel")

# %% after a4c7e5d1
if lab.recipe == "laptop" and scale == 4 and set(CROPS) <= set(table.index):
    longest = table["gained in 6,000 steps"]
    lab.expect(longest.idxmax() == "brick", "then the bricks gain most of all")
    from_longer = table["gained in 6,000 steps"] - table.gained
    lab.expect(from_longer["brick"] > 3, "longer training gives the bricks three decibels")
    little = from_longer[["chelsea", "gravel"]].max()
    lab.expect(little < 0.25, "and fur and gravel next to nothing")
    wall, small_wall = srlab.mod_crop(unseen["brick"], 4), unseen.lr_of("brick")
    pictures = {"HR": wall} | {
        label: srlab.upscale(net, small_wall)
        for label, net in {"yours": your_network, "longer": finished}.items()
    }
    of_joints = {
        label: (srlab.luma(sr) > 0.53).float().mean().item() for label, sr in pictures.items()
    }
    lab.expect(of_joints["yours"] > 1.07 * of_joints["HR"], "the joints are too wide")
    lab.expect(of_joints["longer"] < 1.05 * of_joints["HR"], "narrower later")

# %% after 7f3a9c20
if lab.recipe == "laptop" and scale == 4:
    nearer = apart_in_levels["mean of fifty"] < apart_in_levels["bicubic"]
    lab.expect(nearer.all(), "in each row the answer is nearer to the mean than to bicubic")

# %% after c93d58a7
if lab.recipe == "laptop" and scale == 4:
    sharp, hers, longer = (paid[label] for label in ("a piece", "your network", "6,000 steps"))
    twice = sharp[["gravel", "chelsea"]]
    lab.expect(twice.between(1.8, 2.2).all(), "a sharp piece of gravel or fur costs twice")
    alike = sharp[["text", "astronaut"]]
    lab.expect(alike.between(1.35, 1.65).all(), "once and a half on text and astronaut")
    lab.expect(hers["gravel"] < 0.93, "on the gravel the network costs less than the mean")
    tied = [hers["chelsea"], longer["chelsea"]]
    lab.expect(all(0.93 < cost < 1.05 for cost in tied), "on the fur it's a tie")
    lab.expect(longer["brick"] < 0.6 * hers["brick"], "longer training halves that of the bricks")
    unmoved = (longer - hers)[["gravel", "chelsea"]].abs()
    lab.expect((unmoved < 0.06).all(), "and moves neither gravel nor fur")

# %% after 04c7e9d8
lab.expect(torch.equal(pixel_shuffle(parts, scale), hr), "the shuffle makes HR of its channels")
