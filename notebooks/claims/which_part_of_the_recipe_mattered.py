"""What the extra says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after 2022d62c
if lab.recipe == "laptop":
    print(gains)
    typical = {label: sum(values) / len(values) for label, values in gains.items()}
    first, norm, own_start, shared = typical.values()
    lab.expect(
        max(gains["L1, started like the squared error"]) < -0.5,
        "started like the squared error, L1 never leaves the bilinear enlargement",
    )
    lab.expect(
        min(gains["L1, a start of its own"]) > 0,
        "with a start of its own it beats bicubic every time",
    )
    lab.expect(
        0 < first - own_start < 0.5, "it ends less than half a decibel behind the squared error"
    )
    lab.expect(shared < min(first, norm, own_start) - 0.3, "that costs by far the most")
    lab.expect(abs(norm - first) < 0.3, "batch norm changes a tenth or two")
