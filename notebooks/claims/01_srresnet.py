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
    lab.expect(ordered.index[0] == "chelsea", "the cat gains least")
    lab.expect(0.3 < ordered["chelsea"] < 0.75, "about half a decibel")
    lab.expect(ordered["gravel"] > 1, "the gravel gains more than a decibel")
    lab.expect(ordered["brick"] < ordered["gravel"] + 0.1, "the bricks no more than the gravel")

# %% after a4c7e5d1
if lab.recipe == "laptop" and scale == 4 and set(CROPS) <= set(table.index):
    from_longer = table["gained in 6,000 steps"] - table.gained
    lab.expect(from_longer["brick"] > 2, "longer training gives the bricks two decibels")
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
    lab.expect(of_joints["longer"] < 1.05 * of_joints["HR"], "nearly as narrow as in HR later")
    around = F.max_pool2d((srlab.luma(wall) > 0.53).float(), 9, 1, 4) > 0
    lost = (srlab.luma(pictures["yours"]) - srlab.luma(wall)).square()
    lab.expect(lost[around].sum() > 0.9 * lost.sum(), "nearly all the error lies along the joints")

# %% after c93d58a7
if lab.recipe == "laptop" and scale == 4:
    to_mean, to_hr = away["to the mean"], away["to HR"]
    network, hers = to_mean["your network"], to_hr["your network"]
    lab.expect((network < hers).all(), "the network is nearer to the mean than to HR")
    nearer = network < to_mean["bicubic"]
    lab.expect(list(nearer.index[~nearer]) == ["astronaut"], "nearer than bicubic but on one photo")
    beats = to_hr["mean of fifty"] - hers
    lab.expect((beats[["astronaut", "text", "gravel"]] > 0.5).all(), "the network beats the mean")
    lab.expect(abs(beats["chelsea"]) < 0.15, "on the fur it's a tie")
    lab.expect((to_hr["bicubic"] - hers)["chelsea"] < 0.5, "hardly closer than bicubic")
    lab.expect(beats["brick"] < -1.5, "on the bricks the mean is closer by far")
    farther = to_hr["a piece"] > to_hr["bicubic"]
    lab.expect(list(farther.index[~farther]) == ["brick"], "a piece is farthest but on the wall")

# %% after 04c7e9d8
lab.expect(torch.equal(pixel_shuffle(parts, scale), hr), "the shuffle makes HR of its channels")
