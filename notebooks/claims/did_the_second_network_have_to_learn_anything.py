"""What the extra says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after 419bea2b
if lab.recipe == "laptop":
    print(brought.to_dict())
    lab.expect(brought["random weights"] < 0.5, "random weights bring less than half")
    lab.expect(0.5 < brought["sharpened"] < 1.05, "the filter brings most of it")
    ahead = table["chelsea"]["sharpened"] - table["chelsea"]["hybrid"]
    lab.expect(ahead > 0.005, "the hybrid is ahead on the fur")
