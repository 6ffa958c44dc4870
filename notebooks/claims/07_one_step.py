"""What lab 07 claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after a70cf001
if lab.recipe == "laptop":
    lab.expect(
        "the smallest squared error falls with each sector",
        all(a > b for a, b in zip(floors.values(), [*floors.values()][1:], strict=False)),
    )
    lab.expect(
        "told nothing, the smallest squared error is one half", floors[1], above=0.4, below=0.6
    )
    lab.expect("told one of 16 sectors, it is near 0", floors[16], below=0.1)
    nothing = best_answers(sector(ring_noise, 1), ring_end)[0].norm().item()
    lab.expect("told nothing, the best answer is in the middle", nothing, below=0.3)

# %% after a70cf002
if lab.recipe == "laptop":
    lab.expect("one trained step puts most points on the ring", on_the_ring(arrived), above=85)
    lab.expect("the loss of one step falls to almost 0", jump_error, below=0.01)
    distance = (arrived - taught).norm(dim=1).mean().item()
    lab.expect("points arrive where the flow takes them", distance, below=0.1)

# %% after a70cf003
if lab.recipe == "laptop":
    lab.expect("with shuffled pairs few points arrive", on_the_ring(nowhere), below=10)
    lab.expect(
        "with shuffled pairs the loss is that of being told nothing",
        mixed_error / floors[1],
        above=0.8,
        below=1.2,
        ratio=True,
    )

# %% after a70cf007
if lab.recipe == "laptop" and flow.origin.startswith("06_flow"):
    lab.expect("the loss of one step on gravel ends near 0.02", student_error, below=0.05)

# %% after a70cf008
if lab.recipe == "laptop" and flow.origin.startswith("06_flow"):
    one, many = table.loc["student"], table.loc["flow"]
    sharpness = one.sharpness / many.sharpness
    lab.expect("one step is nearly as sharp as the flow", sharpness, above=0.95, ratio=True)
    lab.expect(
        "one step is nearly as varied as the flow", one.spread / many.spread, above=0.9, ratio=True
    )
    means = [table.PSNR[f"mean of {lab.samples}, {name}"] for name in ("student", "flow")]
    lab.expect(
        "the means of sixteen have nearly the same PSNR", means[0] - means[1], above=-0.2, below=0.2
    )
    smooth = table.sharpness[f"mean of {lab.samples}, student"]
    lab.expect("the mean of sixteen is smooth", smooth, above=50, below=75)
    lab.expect("one step is nearest to the flow's answer to its noise", alike - unlike, above=8)

# %% after a70cf00a
if lab.recipe == "laptop" and flow.origin.startswith("06_flow"):
    for name in ("shuffled", "zeros"):
        lost_sharpness = controlled.sharpness[name] / controlled.sharpness["student"]
        lab.expect(f"the control is blurred: {name}", lost_sharpness, below=0.7, ratio=True)
    lab.expect("with zeros the loss ends near 0.6", controlled.loss["zeros"], above=0.5, below=0.75)
    lab.expect(
        "with shuffled answers the loss ends below that with zeros",
        controlled.loss["zeros"] - controlled.loss["shuffled"],
        above=0,
        usually=True,
    )
    lab.expect("with shuffled answers images still differ", controlled.spread["shuffled"], above=1)
    behind = controlled.PSNR["MSE (lab 01)"] - controlled.PSNR["zeros"]
    lab.expect("with zeros the PSNR is lab 01's", behind, above=-0.5, below=0.5)

# %% after a70cf004
if lab.recipe == "laptop":
    lab.expect(
        "with the bug the points are on a line",
        (on_a_line[:, 0].abs().mean() / on_a_line[:, 1].abs().mean()).item(),
        below=0.4,
        ratio=True,
    )

# %% after a70cf005
if lab.recipe == "laptop":
    lab.expect("without the bug most points arrive again", on_the_ring(repaired), above=85)
