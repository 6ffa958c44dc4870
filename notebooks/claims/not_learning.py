"""What the extra claims about its results; srlab/course/claims.py explains how these blocks run."""

# %% after b3e07d92
fresh = srlab.MSRResNet(num_blocks=4, num_features=32, scale=4).blocks[0].conv1.weight
lab.expect(
    "MSRResNet's initial weights have a standard deviation of about 0.008",
    fresh.std().item(),
    above=0.007,
    below=0.009,
)
if lab.recipe == "laptop":
    mse, stuck, cured = (curve[1][-1] for curve in curves.values())
    lab.expect("L1 trained like MSE ends at the bilinear upscaling", stuck, below=-0.5)
    lab.expect("L1 with gentler settings beats bicubic", cured, above=0.1)
    lab.expect("MSE beats bicubic", mse, above=0.1)

# %% after 5e1f0a06
if lab.recipe == "laptop":
    off_mse, off_stuck, off_cured = (sum(shares) for shares in silent.values())
    lab.expect(
        "L1 trained like MSE has more dead features than the others",
        off_stuck - max(off_mse, off_cured),
        above=0,
        usually=True,
    )

# %% after 4e25548c
if lab.recipe == "laptop":
    eight, _, alone = gaps.values()
    lab.expect(
        "a batch of one widens the gap between training and eval mode by half",
        alone / eight,
        above=1.5,
        usually=True,
    )
    in_training = min(value for name, value in decibels.items() if "eval" not in name)
    lab.expect(
        "a network with a shared batch norm is worse in eval mode",
        in_training - decibels["shared BN, eval"],
        above=0,
    )

# %% after 5e1f0a08
if lab.recipe == "laptop":
    scores = [row["val_psnr"] for row in histories["six crops"] if "val_psnr" in row]
    lab.expect("overfitting to six crops costs PSNR elsewhere", max(scores) - scores[-1], above=0)
    lab.expect(
        "course.diagnose finds the overfitting",
        sum(one.name == "the network overfits" for one in opinion.findings),
        above=0,
    )

# %% after 5e1f0a09
lab.expect(
    "the Charbonnier loss loses part of its gradient in float16", lost["float16"].any().item()
)
lab.expect("the Charbonnier loss keeps its gradient in float32", not lost["float32"].any())

# %% after 4ddf5e63
lab.expect("SRResNet with four blocks has a receptive radius of 16", radius, above=15, below=17)
lab.expect("the nearer half gets more than 90% of the influence", shares[7], above=0.9)
