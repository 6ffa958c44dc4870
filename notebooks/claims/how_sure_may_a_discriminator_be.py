"""What the extra says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after 77f0dae8
if lab.recipe == "laptop":
    lab.expect(slopes["with"] < 1.05, "with spectral norm no slope is steeper than 1")
    steeper = slopes["without"] / slopes["with"]
    lab.expect(60 < steeper < 150, "without it about a hundred times as steep")
    lab.expect(logits["with"][45:].min() > logits["with"][:36].max(), "photos are above SR")

# %% after 62d0a58d
if lab.recipe == "laptop":
    usual, free, slow = ends.values()
    lab.expect(8 < usual < 18, "with the brake the logits are more than ten apart, give or take")
    lab.expect(1.25 < free / usual < 2.2, "without it about one and a half times as far")
    lab.expect(abs(slow) < 1, "at a hundredth of the rate they are hardly apart")
