"""What the extra claims about its results; srlab/course/claims.py explains how these blocks run."""

# %% after 2022d62c
if lab.recipe == "laptop":
    typical = {label: sum(values) / len(values) for label, values in gains.items()}
    mse, norm, own_start, same_start = typical.values()
    lab.expect(
        "L1 started like MSE never leaves the bilinear enlargement",
        max(gains["L1, started like the squared error"]),
        below=-0.5,
    )
    lab.expect(
        "L1 with a start of its own beats bicubic with every seed",
        min(gains["L1, a start of its own"]),
        above=0,
    )
    lab.expect(
        "L1 with a start of its own ends within 0.6 dB of MSE",
        mse - own_start,
        above=-0.6,
        below=0.6,
    )
    lab.expect(
        "L1 started like MSE has by far the lowest PSNR",
        min(mse, norm, own_start) - same_start,
        above=0.3,
    )
    lab.expect("batch norm changes PSNR by less than 0.3 dB", norm - mse, above=-0.3, below=0.3)
