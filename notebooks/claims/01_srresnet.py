"""What lab 01 says of its results; srlab/cli/claims.py says how these blocks are run."""

# %% after 0da9384f
lab.expect(share < 1e-3, "without a skip the first layer receives next to nothing")
for cured in ("x + f(x)", "f(x), He"):
    lab.expect(norms[cured][0] > 1e-2 * norms[cured][-1], f"{cured} lets the gradient through")

# %% after 5210a193
mean, median = (answers[name][0, 0, 8] for name in answers)
lab.expect(abs(mean[4] - 0.42) < 0.01 and abs(mean[6] - 0.58) < 0.01, "the mean is a grey bar")
lab.expect(median[4] < 0.11 and median[6] > 0.89, "the median is one clear line")

# %% after 77a41e3c
lab.expect(len(fits) == 50, "there are fifty patches that fit")
lab.expect((shrink(fits) - true_lr).abs().max() < 1 / 255, "they shrink to the LR patch")

# %% after 7959b492
lab.expect(to_truth["the mean"] < 0.85 * single, "the mean is closer to the truth than a patch is")
lab.expect(to_mean < 0.7 * of_one, "the network answers nearly with the mean")
lab.expect(
    to_mean < min(off_by(by_network, patch) for patch in fits), "it is nearer than any patch"
)

# %% after e299f88b
if lab.recipe == "laptop":
    lab.expect(curve[1][1] > to_beat, "your network beats bicubic within fifty steps")

# %% after b4bd7362
if lab.recipe == "laptop":
    above = [r["step"] for r in history if r.get("val_psnr", 0) > baseline.psnr.mean()]
    lab.expect(bool(above) and above[0] <= 250, "the network beats bicubic within 250 steps")

# %% after 6b53cbc5
if lab.recipe == "laptop" and {"astronaut", "chelsea", "text", "brick"} <= set(table.index):
    lab.expect(table.gain.idxmax() == "text" and table.gain["text"] > 2, "the writing gains most")
    lab.expect(table.gain.idxmin() == "chelsea", "the fur gains least")
    lab.expect(0.3 < table.gain["chelsea"] < 0.9, "the fur gains about half a decibel")
    later = table["gain by that"]
    lab.expect(later["brick"] > 2, "longer training gives the bricks more than two decibels")
    lab.expect(later["text"] > 0.1, "it gives the writing a little")
    lab.expect(later["chelsea"] < 0.25, "it gives the fur next to nothing")

# %% after ef11b51c
if lab.recipe == "laptop":
    typical = {label: sum(values) / len(values) for label, values in gains.items()}
    first, norm, no_skip, own_rate, shared = typical.values()
    lab.expect(
        max(gains["L1, the rate of the squared error"]) < 0, "at the shared rate L1 is stuck"
    )
    lab.expect(own_rate > 0.2, "L1 with a rate of its own is above bicubic")
    lab.expect(own_rate < first - 0.2, "it doesn't draw level in so few steps")
    lab.expect(shared < no_skip < first - 0.3, "leaving out the bilinear skip is expensive")
    lab.expect(abs(norm - first) < 0.3, "batch norm changes a tenth or two")

# %% after 7f3a9c20
if lab.recipe == "laptop" and scale == 4:
    to_the_mean, to_one = distance.values()
    lab.expect(to_the_mean < 0.75 * to_one, "your network's answer is near the mean of the fifty")
    lab.expect(
        to_the_mean < min(off_by(yours, patch) for patch in fits),
        "it is nearer to the mean than to any patch",
    )
    lab.expect(abs(to_the_mean - to_mean) < 4, "it is about as near as the finished network")
