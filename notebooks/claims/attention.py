"""What the extra claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after a77e0106
lab.expect("windows reduce the number of pairs by 256", 128**4 / (count * pixels**2) == 256)

# %% after a77e0111
lab.expect("attention by hand is PyTorch's", from_torch < 1e-5)
lab.expect("shuffling the pixels of a window only shuffles the results", from_shuffled < 1e-5)

# %% after a77e0205
lab.expect("with the bias, shuffling changes the results", by_shuffling, above=0.001)

# %% after a77e0302
lab.expect(
    "without a shift, a pixel sees its own window only",
    [image.sum().item() for image in reach(unshifted)] == [64, 0, 0],
)
lab.expect(
    "the broken version sees another image, and the whole height of it",
    [image.sum().item() for image in reach(broken_shifted)] == [0, 8 * 24, 0],
)

# %% after a77e0306
lab.expect(
    "the correct version sees 16 by 16 pixels of its own image after four layers",
    [image.sum().item() for image in reach(shifted)] == [256, 0, 0],
)

# %% after a77e0402
sizes = [srlab.parameter_count(build(name)) for name in ("MSRResNet", "attention")]
lab.expect("both networks have the same size, within 2 %", abs(sizes[1] / sizes[0] - 1) < 0.02)

# %% after a77e0406
if lab.recipe == "laptop":
    gains = table.mean(axis=1) - table.loc["bicubic"].mean()
    lab.expect("MSRResNet beats bicubic on average", gains["MSRResNet"], above=0)
    lab.expect("attention beats bicubic on average", gains["attention"], above=0)
    lab.expect("the means are about level", lead.mean(), above=-0.8, below=0.8, usually=True)
    lab.expect("attention leads on the bricks", lead.brick, above=0, usually=True)
    lab.expect("attention is behind on the handwriting", lead.text, below=0, usually=True)
    lab.expect("attention is behind on the astronaut", lead.astronaut, below=0, usually=True)

# %% after a77e0410
if lab.recipe == "laptop":
    lab.expect("half the rate helps MSRResNet on the bricks", change.brick, above=0, usually=True)
    for photo in ("text", "astronaut"):
        lab.expect(
            f"half the rate costs MSRResNet on {photo}", change[photo], below=0, usually=True
        )
    lab.expect(
        "on the bricks, half the rate is level with attention",
        change.brick - lead.brick,
        above=-1.2,
        below=1.2,
        usually=True,
    )

# %% after a77e0503
if lab.recipe == "laptop":
    lab.expect("MSRResNet has 95 % within few pixels", reaches["MSRResNet"], above=2, below=7)
    lab.expect("attention has 95 % within few pixels", reaches["attention"], below=11, usually=True)
    lab.expect("MSRResNet sees nothing beyond 11 pixels", beyond["MSRResNet"] < 1e-5)
    lab.expect(
        "attention has little of its gradient beyond 11 pixels",
        beyond["attention"],
        below=0.05,
        usually=True,
    )

# %% after a77e0507
if lab.recipe == "laptop":
    lab.expect("in each layer nearly all pixels count the same", min(spread), above=52)

# %% after a77e0505
if lab.recipe == "laptop":
    for name in networks:
        lab.expect(
            f"detail beyond 4 pixels makes hardly a difference: {name}",
            lost.loc[name, 4],
            above=-0.3,
            below=0.3,
        )
        lab.expect(
            f"detail beyond 8 pixels makes no difference: {name}",
            lost.loc[name, 8],
            above=-0.1,
            below=0.1,
        )
