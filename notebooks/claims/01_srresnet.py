"""What lab 01 says of its results; srlab/cli/claims.py says how these blocks are run."""

# %% after 5210a193
lab.expect(radius == receptive_radius(4), "the counted radius is the measured one")
near = seen[28:37, 28:37].sum() / seen.sum()
lab.expect(near > 0.5, "most of the influence comes from the nearest pixels")
lab.expect(same, "the two tiny photos have one LR image")
lab.expect(
    all(abs(found[n] - theory[n]) < 0.1 for n in found), "gradient descent finds the best guess"
)

# %% after 7959b492
lab.expect(share < 1e-3, "without a skip the first layer receives next to nothing")
lab.expect(
    norms["x + f(x)"][0] > 1e-2 * norms["x + f(x)"][-1], "the skip carries the gradient through"
)
lab.expect(len(fits) == 50, "there are fifty patches that fit")
lab.expect(
    off["mean of fifty"] < 0.85 * off["one of the fifty"],
    "the mean of the fifty is closer to the truth than each of them is, typically",
)
apart_from_network = (mean_of_fifty - by_network).square().mean().sqrt()
lab.expect(
    apart_from_network < 0.7 * (fits[:1] - by_network).square().mean().sqrt(),
    "the network answers nearly with that mean",
)

# %% after 4e25548c
lab.expect(
    gaps["one shared BN, batch of 8"] > 2 * gaps["one BN each, batch of 8"],
    "a shared batch norm drives training and use apart",
)
lab.expect(
    gaps["one BN each, batch of 1"] > 1.5 * gaps["one BN each, batch of 8"],
    "a batch of one does so as well",
)
broken = decibels.pop("shared BN, in use")
lab.expect(broken < min(decibels.values()) - 0.5, "the shared one is worse in use alone")

# %% after 590a8042
own_gain = own_result.psnr.mean() - baseline.psnr.mean()
validations = [row for row in history if "val_psnr" in row]
above = [row["step"] for row in validations if row["val_psnr"] > baseline.psnr.mean()]
if lab.recipe == "laptop":
    lab.expect(own_gain > 0.4, "your own network beats bicubic after 200 steps")
    lab.expect(bool(above) and above[0] <= 250, "the network beats bicubic within 250 steps")
progress = validations[-1]["val_psnr"] - validations[0]["val_psnr"]
lab.expect(progress > (1.8 if lab.recipe == "laptop" else 0.3), "training gains over its start")
fine = [i for i, f in enumerate(frequencies) if f > 0.6 / scale]
mean = {name: sum(values[i] for i in fine) / len(fine) for name, values in strength.items()}
lab.expect(mean[lab.network] < mean["HR"], "the network's result stays smoother than HR")
if lab.recipe == "laptop" and {"astronaut", "chelsea", "text"} <= gain.keys():
    lab.expect(gain["astronaut"] > 1.4, "the face gains a bit less than 2 dB")
    lab.expect(0.3 < gain["chelsea"] < 0.9, "the cat gains about half a decibel")
    lab.expect(gain["text"] > gain["astronaut"] + 0.3, "strokes gain more than a face with hair")
    lab.expect(
        mean[lab.network] > mean["bicubic"], "the network adds fine detail that bicubic has not"
    )

# %% after b1dd5ade
if lab.recipe == "laptop":
    lab.expect(
        finals["no bilinear skip"] < finals["MSRResNet"] - 1,
        "without the bilinear skip a short run gets nowhere",
    )
    others = [finals[name] for name in ("MSRResNet", "batch norm", "one block")]
    lab.expect(max(others) - min(others) < 0.4, "batch norm and depth change little")
    lab.expect(
        finals["L1"] < finals["MSRResNet"] - 0.15,
        "L1 at the same rate falls behind the squared error",
    )
    lab.expect(finals["no block skip"] < -0.5, "small weights without block skips learn nothing")
    whole_start = finals["no block skip, larger start"]
    lab.expect(whole_start > finals["MSRResNet"] - 0.3, "with larger ones the network does as well")
    lab.expect(
        finals["16 blocks"] > finals["16 blocks, no block skip, larger start"] + 1,
        "in sixteen blocks the skips can't be replaced by larger weights",
    )
    lab.expect(
        finals["no bilinear skip"] + 0.3
        < finals["no bilinear skip, larger start, twice the rate"]
        < finals["MSRResNet"] - 0.5,
        "without the bilinear skip a larger start helps, and about a decibel remains",
    )

# %% after f01689de
if lab.recipe == "laptop":
    lab.expect(agreed["L1"] > agreed["MSE"] + 0.1, "the batches agree more on the gradient of L1")
    lab.expect(revived, "L1 starts with the lower rate")
    silenced = {name.split()[0]: sum(shares) / len(shares) for name, shares in silent.items()}
    lab.expect(
        silenced["L1"] > 1.5 * silenced["MSE"], "at the full rate L1 silences far more units"
    )
    lab.expect(reached[tried] > 0.1, "L1 with the lower rate beats bicubic in as many steps")
    lab.expect(behind > 0.1, "but it stays behind the squared error")

# %% after 579493da
if lab.recipe == "laptop":
    lab.expect(max(scores) - scores[-1] > 1, "what is learned by heart costs elsewhere")
    lab.expect("it overfits" in [one.name for one in opinion.findings], "srlab.diagnose sees it")
lab.expect(lost["float16"].any().item(), "in float16 some of the gradient is lost")
lab.expect(not lost["float32"].any(), "in float32 none is")
lab.expect(ends["float32"] == "finished", "in float32 the training comes to its end")
if lab.precision != "fp16":  # whose scaler leaves such steps out, so that nothing is learned
    lab.expect(ends["float16"] == "failed", "the trainer notices a weight that is NaN")
