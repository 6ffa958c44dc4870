"""What the extra says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after c4ec0106
lab.expect(
    levels["with ICNR"] < levels["as drawn"] / 5, "ICNR leaves next to nothing of the pattern"
)

# %% after c4ec0109
if lab.recipe == "laptop":
    late = {name: max(curve[1][-4:]) for name, curve in curves.items()}  # from step 36 on
    lab.expect(max(late.values()) < 1, "the squared error takes the pattern away")
    apart = abs(late["as drawn"] - late["with ICNR"])
    lab.expect(apart < 0.5, "after some thirty steps both have about as much")

# %% after c4ec0204
if lab.recipe == "laptop":
    lab.expect(grid["the start"] < 0.3, "the start has no checkerboard")
    lab.expect(grid["content"] > 2, "pixels and content bring a strong one")
    lab.expect(
        grid["content, four times the pixels"] < 1, "four times the weight on pixels keeps it away"
    )
