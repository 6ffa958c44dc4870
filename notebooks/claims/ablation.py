"""What the extra claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after 2022d62c
if lab.recipe == "laptop":
    typical = {label: sum(values) / len(values) for label, values in gains.items()}
    mse, norm, tuned, untuned = typical.values()
    lab.expect(
        "L1 trained like MSE never leaves the bilinear upscaling",
        max(gains["L1, trained like MSE"]),
        below=-0.5,
    )
    lab.expect(
        "tuned L1 beats bicubic with every seed",
        min(gains["L1, tuned"]),
        above=0,
    )
    lab.expect(
        "tuned L1 ends within 0.6 dB of MSE",
        mse - tuned,
        above=-0.6,
        below=0.6,
    )
    lab.expect(
        "L1 trained like MSE has by far the lowest PSNR",
        min(mse, norm, tuned) - untuned,
        above=0.3,
    )
    lab.expect("batch norm changes PSNR by less than 0.3 dB", norm - mse, above=-0.3, below=0.3)
