"""What the extra says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after b3e07d92
fresh = srlab.MSRResNet(blocks=4, features=32, scale=4).blocks[0].conv1.weight
lab.expect(abs(fresh.std().item() - 0.008) < 0.001, "the first weights are about 0.008 in size")
if lab.recipe == "laptop":
    mse, stuck, cured = (curve[1][-1] for curve in curves.values())
    lab.expect(stuck < -0.5, "started like MSE, L1 ends at the bilinear enlargement")
    lab.expect(cured > 0.1 and mse > 0.5, "with a gentler start it learns, as MSE does")

# %% after 5e1f0a06
if lab.recipe == "laptop":
    off_mse, off_stuck, off_cured = (sum(shares) for shares in silent.values())
    lab.expect(
        off_stuck > 1.5 * max(off_mse, off_cured), "the L1 that stood still has far more off"
    )

# %% after 4e25548c
if lab.recipe == "laptop":
    eight, shared_gap, alone = gaps.values()
    lab.expect(shared_gap > 2 * eight, "a shared batch norm drives training and use apart")
    lab.expect(alone > 1.5 * eight, "a batch of one does so as well")
    use = decibels["shared BN, in use"]
    lab.expect(
        use < min(v for k, v in decibels.items() if "in use" not in k) - 0.5, "it is worse in use"
    )

# %% after 5e1f0a08
if lab.recipe == "laptop":
    scores = [row["val_psnr"] for row in histories["six crops"] if "val_psnr" in row]
    lab.expect(max(scores) - scores[-1] > 0.5, "what is learned by heart costs elsewhere")
    lab.expect("it overfits" in [one.name for one in opinion.findings], "srlab.diagnose sees it")

# %% after 5e1f0a09
lab.expect(lost["float16"].any().item(), "in float16 some of the gradient is lost")
lab.expect(not lost["float32"].any(), "in float32 none is")

# %% after 4ddf5e63
lab.expect(radius == 16, "the radius is 13 and less than 3 more, rounded up")
lab.expect(shares[7] > 0.9, "nearly everything comes from the nearer half")
