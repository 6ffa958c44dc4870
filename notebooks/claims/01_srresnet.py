"""What lab 01 claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after 77a41e3c
lab.expect("there are fifty pieces", len(stones_fit) == 50)
lab.expect("the pieces downscale to the LR patch, to a gray level", 255 * unlike, below=1)

# %% after 22f6f1aa
lab.expect("the MSE's slope is zero at the mean", abs(lowest["mse"] - 0.405), below=0.004)
lab.expect("L1's slope changes its sign at the median", abs(lowest["l1"] - 0.2), below=0.006)

# %% after c41b7f08
for name, pieces in fits.items():
    goals = {"mse": pieces.mean(0), "l1": pieces.median(0).values}
    for loss, goal in goals.items():
        start_at, end = (255 * (ways[name, loss][i] - goal).square().mean().sqrt() for i in (0, -1))
        lab.expect(f"downhill ends at the goal of {loss}: {name}", end / start_at, below=0.25)
melted, stayed = (fits.mean(0, keepdim=True) for fits in (stones_fit, stroke_fit))
spread, of_stroke = (stones_fit - melted).square().mean(), (stroke_fit - stayed).square().mean()
lab.expect("the gravel pieces vary five times as much as the strokes", spread / of_stroke, above=5)
lab.expect("the mean still shows the stroke", stayed.std() / true_stroke.std(), above=0.6)
steps_of = {
    name: picture.diff(dim=-1).abs().mean()
    for name, picture in {
        "piece": stones_fit,
        "mean": stones_fit.mean(0),
        "median": stones_fit.median(0).values,
    }.items()
}
lab.expect(
    "the median of fifty pieces is smooth", steps_of["median"] / steps_of["piece"], below=0.6
)
lab.expect(
    "the median of fifty pieces is as smooth as the mean",
    steps_of["median"] / steps_of["mean"],
    below=1.1,
)
for scene, those in {"gravel": stones_fit, "stroke": stroke_fit}.items():
    apart_by = (those.mean(0) - those.median(0).values).square().mean().sqrt()
    spread_of_pieces = those.var(0).mean().sqrt()
    lab.expect(f"mean and median look alike: {scene}", apart_by / spread_of_pieces, below=0.2)
gaps = true_stones < 0.2
lab.expect(
    "the mean keeps the dark gaps", stones_corrected.mean() - melted[gaps].mean(), above=0.15
)
lab.expect(
    "the mean's stroke is darker than the corrected bicubic image's",
    stroke_corrected.min() - stayed.min(),
    above=0,
)
depths = [(picture.median() - picture)[0, 0, 6:] for picture in (stayed, stroke_corrected)]
widths = [(depth > depth.max(0).values / 2).sum() for depth in depths]
lab.expect(
    "the mean's stroke is narrower than the corrected bicubic image's",
    widths[0] / widths[1],
    below=0.9,
)

# %% after 46fb08a1
relative = table_of_costs.relative
lab.expect("the median costs a little more than the mean", relative["median"], above=1, below=1.05)
lab.expect(
    "the corrected bicubic image costs more than the median",
    relative["bicubic, corrected"] - relative["median"],
    above=0,
)
lab.expect("HR costs about twice as much as the mean", relative["HR"], above=1.9, below=2.1)
lab.expect(
    "a piece costs twice as much as the mean",
    relative["(a piece, on average)"],
    above=1.999,
    below=2.001,
)
rank = 0.8 ** torch.arange(len(stones_fit))  # each piece is 20% less likely than the one before it
weighted = (rank[:, None, None, None] * stones_fit).sum(0) / rank.sum()
rough, of_piece = (image.diff(dim=-1).abs().mean() for image in (weighted, stones_fit))
lab.expect("a weighted mean is smooth", rough / of_piece, below=0.65)

# %% after e299f88b
if lab.recipe == "laptop":
    lab.expect(
        "your first network beats bicubic within 175 steps",
        history[7][2] - to_beat,
        above=0,
        usually=True,
    )
    lab.expect(
        "your first network starts less than a decibel below bicubic",
        history[0][2] - to_beat,
        above=-1,
        below=0,
    )
    torch.manual_seed(seed)
    fresh = MSRResNet(num_blocks=4, num_features=32)
    first_lr, first_hr = next(new_batches())
    F.mse_loss(fresh(first_lr), first_hr).backward()
    sizes = [
        weights.grad.square().mean().sqrt().item()
        for name, weights in fresh.named_parameters()
        if name.endswith("weight")
    ]
    lab.expect(
        "the layers' gradients differ by a factor of more than 50",
        max(sizes) / min(sizes),
        above=50,
        ratio=True,
    )

# %% after ba296a7f
if lab.recipe == "laptop":
    on_photos = [psnr for _, _, psnr in memorized]
    lab.expect(
        "on six crops the PSNR climbs by several decibels", on_crops[-1] - on_crops[1], above=3
    )
    lab.expect("on photos it rises first", max(on_photos) - on_photos[1], above=0, usually=True)
    lab.expect("then it falls to below bicubic", on_photos[-1] - to_beat, below=0, usually=True)
    kept = validate(memorizer, pairs)
    lab.expect("the loop kept the best weights", abs(kept - max(on_photos)) < 0.001)

# %% after 6e24c6cb
if lab.recipe == "laptop":
    with_bug = histories["published block"]
    lab.expect("with the bug it stays below bicubic", with_bug[-1][2] - to_beat, below=0)

# %% after c7b0282d
if lab.recipe == "laptop":
    lab.expect(
        "without the bug it beats bicubic",
        histories["ResidualBlock"][-1][2] - to_beat,
        above=0.05,
        usually=True,
    )

# %% after 6b53cbc5
if lab.recipe == "laptop" and set(CROPS) <= set(table.index):
    ordered = table.gained.sort_values()
    runner_up = ordered.drop("text").iloc[-1]
    lab.expect("the handwriting gains most, by far", ordered["text"] - runner_up, above=0.4)
    third = ordered.drop(["text", "astronaut"]).iloc[-1]
    lab.expect("the portrait gains second most", ordered["astronaut"] - third, above=0)
    rest = ordered.drop("chelsea")
    lab.expect(
        "at most one photo gains less than the cat", rest.iloc[1] - ordered["chelsea"], above=0
    )
    lab.expect("the cat gains about half a decibel", ordered["chelsea"], above=0.3, below=0.75)
    lab.expect("the gravel gains more than a decibel", ordered["gravel"], above=1)
    by_steps = (table["bicubic, corrected"] - table.bicubic)[unseen.names].mean()
    lab.expect("the corrected bicubic image gains 0.8 dB", bool(abs(by_steps - 0.8) < 0.05))
    lab.expect("your network gains about 1.5 dB", gain, above=1.25, below=1.75, usually=True)

# %% after a4c7e5d1
if lab.recipe == "laptop" and scale == 4 and set(CROPS) <= set(table.index):
    longest = gains["pretrained"]
    lab.expect(
        "after 6,000 steps the bricks gain most",
        longest["brick"] - longest.drop("brick").max(),
        above=0,
    )
    from_longer = longest - gains["your network"]
    lab.expect(
        "longer training gives the bricks two to five decibels",
        from_longer["brick"],
        above=2,
        below=5.5,
    )
    for subject in ("chelsea", "gravel"):
        lab.expect(f"longer training hardly helps {subject}", from_longer[subject], below=0.25)
    wall, small_wall = srlab.mod_crop(unseen["brick"], 4), unseen.lr_of("brick")
    pictures = {"HR": wall} | {
        label: srlab.upscale(net, small_wall)
        for label, net in {"yours": your_network, "longer": pretrained}.items()
    }
    of_joints = {
        label: (srlab.luma(sr) > 0.53).float().mean().item() for label, sr in pictures.items()
    }
    lab.expect(
        "your network's joints are too wide", of_joints["yours"] / of_joints["HR"], above=1.02
    )
    lab.expect(
        "after 6,000 steps the joints are narrower",
        of_joints["longer"] / of_joints["HR"],
        below=1.05,
    )

# %% after 7f3a9c20
if lab.recipe == "laptop" and scale == 4:
    for subject, row in apart_in_levels.iterrows():
        lab.expect(
            f"the answer is nearer to the mean than to HR: {subject}",
            row["network to HR"] / row["network to mean"],
            above=1,
            ratio=True,
        )
        lab.expect(
            f"the corrected bicubic image is nearer still: {subject}",
            row["network to mean"] / row["corrected to mean"],
            above=1,
            ratio=True,
            usually=subject == "brick",
        )
    shares = apart_in_levels["nearer to the mean"]
    lab.expect("on most patches of gravel, the mean is nearer than HR", shares["gravel"], above=0.5)
    ahead = apart_in_levels["mean to HR"] / apart_in_levels["network to HR"]
    ahead_of_corrected = apart_in_levels["corrected to HR"] / apart_in_levels["network to HR"]
    for subject in ("gravel", "text"):
        lab.expect(
            f"on {subject}, the network is nearer to HR than the mean",
            ahead[subject],
            above=1,
            ratio=True,
        )
        lab.expect(
            f"on {subject}, the network is nearer to HR than the corrected bicubic image",
            ahead_of_corrected[subject],
            above=1,
            ratio=True,
        )
    lab.expect(
        "on bricks, the mean is nearer to HR than the network", ahead["brick"], below=1, ratio=True
    )

# %% after 67c040cd
if lab.recipe == "laptop" and scale == 4:
    of_broken = on_pairs["broken pairs"]
    _, *losses_of_broken = (loss for _, loss, _ in of_broken)
    lab.expect(
        "the loss falls on broken pairs",
        sum(losses_of_broken[-2:]) < sum(losses_of_broken[:2]),
        usually=True,
    )
    lab.expect(
        "broken pairs leave the network far behind bicubic",
        of_broken[-1][2] < to_beat - 2,
        usually=True,
    )

# %% after d3fc6a70
if scale == 4:
    wide, fine = left_over(broken_pairs).square().mean().item(), whole.square().mean().item()
    lab.expect("a broken pair leaves three times the residual", wide > 3 * fine)

# %% after 5ba10005
if lab.recipe == "laptop" and scale == 4:
    of_yours = on_pairs["correct pairs"]
    lab.expect("correct pairs beat bicubic", of_yours[-1][2] > to_beat)
