"""What lab 06 claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after f0601a01
if lab.recipe == "laptop":
    lab.expect("the loss on the ring stays near 1", ring_loss, above=0.8, below=1.1)

# %% after f0601a02
if lab.recipe == "laptop":
    lab.expect(
        "where lines cross, the network outputs the mean of their velocities",
        (there - mean_of_lines).norm().item(),
        below=0.6,
    )

# %% after f0601a03
if lab.recipe == "laptop":
    lab.expect("most points arrive on the ring", on_the_ring(path[-1]), above=80)
    taken = torch.histc(torch.atan2(*path[-1].T), 12, -math.pi, math.pi) > 5
    lab.expect("the points arrive all around the ring", int(taken.sum()), above=11)
    first_way = (path[4].norm(dim=1) - path[0].norm(dim=1)).mean().item()
    lab.expect("at first the points move toward the middle", first_way, below=0)

# %% after 6e0a2c17
if lab.recipe == "laptop":
    moments = torch.full_like(places, 0.4)
    crowd = torch.exp(-((places - 0.4) ** 2) / 0.72) + torch.exp(-((places + 0.4) ** 2) / 0.72)
    difference = to_points(places[:, None], moments)[:, 0] - exact_velocity(places, moments)
    lab.expect(
        "the network has nearly learned the exact velocity",
        ((crowd * difference.square()).sum() / crowd.sum()).sqrt().item(),
        below=0.6,
    )

# %% after 6e0a2c20
if lab.recipe == "laptop":
    lab.expect(
        "the crowds on the lines and on the flow are far closer than noise and ring",
        max(pair[0] for pair in apart.values()) / scale_of_it,
        below=0.5,
        ratio=True,
        usually=True,
    )
    lab.expect("the passengers end far from where their lines lead", moved, above=1)

# %% after f0602a01
if lab.recipe == "laptop":
    lab.expect("one step ends near the middle", radii[1], below=0.5)
    lab.expect("five steps put most points on the ring", share[5], above=70)

# %% after 7b31d409
if lab.recipe == "laptop":
    by_euler, by_heun = (dict(zip(passes, values, strict=True)) for values in misses.values())
    lab.expect(
        "with four runs Euler's method ends nearer",
        by_heun[4] / by_euler[4],
        above=1,
        ratio=True,
    )
    lab.expect(
        "with 32 runs Heun's method ends nearer", by_heun[32] / by_euler[32], below=1, ratio=True
    )
    lab.expect(
        "from 32 to 64 runs Euler's error is about halved",
        by_euler[32] / by_euler[64],
        above=1.7,
        below=2.4,
        ratio=True,
    )
    lab.expect(
        "from 32 to 64 runs Heun's error falls to about a quarter",
        by_heun[32] / by_heun[64],
        above=3,
        below=6,
        ratio=True,
    )

# %% after f0602a02
if lab.recipe == "laptop":
    lab.expect(
        "the borrowed loss has nearly the same value",
        wrong_loss - ring_loss,
        above=-0.1,
        below=0.1,
    )
    lab.expect("with the borrowed loss few points arrive", on_wrong, below=50)

# %% after f0602a03
if lab.recipe == "laptop":
    lab.expect("without the bug most points arrive", on_fixed, above=80)

# %% after f0603a01
if lab.recipe == "laptop":
    lab.expect("the loss on gravel ends near two thirds", late_loss, above=0.55, below=0.8)

# %% after f0604a02
if lab.recipe == "laptop":
    name = f"mean of {lab.samples}"
    behind = table.PSNR["MSE (lab 01)"] - table.PSNR[name]
    lab.expect("the mean of 16 samples is close to lab 01's network in PSNR", behind, below=0.5)
    lab.expect("the mean of 16 samples is as smooth as lab 01's image", sharp, above=50, below=75)
    lab.expect(
        "a sample is about as sharp as HR", table.sharpness["one sample"], above=80, below=130
    )
    lab.expect(
        "a sample has a lower PSNR than bicubic",
        one.PSNR - measure(srlab.upsample(small, scale))["PSNR"],
        below=0,
    )
    lab.expect("a sample is closer to LR than 2 gray levels", one["off LR"], below=1.5)
    lab.expect(
        "a sample agrees with LR better than SRGAN does",
        table["off LR"]["SRGAN (lab 03)"] / one["off LR"],
        above=1.3,
        ratio=True,
    )

# %% after 06e7a003
if lab.recipe == "laptop":
    lab.expect("the noise has a better PSNR than a sample", ahead, above=0.5)
    far = evidence.patches
    lab.expect(
        "a sample's patches are nearer to HR's than the noise's",
        far["one sample"] / far["single step + noise"],
        below=0.1,
        ratio=True,
    )

# %% after f0604a03
if lab.recipe == "laptop":
    lab.expect("one sample is two to three decibels below the mean of 16", paid, above=2, below=3)
    lab.expect("in theory it is 2.75 dB", in_theory, above=2.74, below=2.76)

# %% after f0605a01
if lab.recipe == "laptop":
    lab.expect(
        "the mean is more wrong where the samples differ more",
        quarters[3] / quarters[0],
        above=1.2,
        ratio=True,
    )
    lab.expect(
        "the samples differ about as much as the mean errs",
        typical / wrong,
        above=0.7,
        below=1.4,
        ratio=True,
    )

    lab.expect(
        "HR is outside of the samples' range about as often as one more sample would be",
        outside / by_chance,
        above=0.8,
        below=1.5,
        ratio=True,
    )

# %% after 9d73f701
if lab.recipe == "laptop":
    lab.expect(
        "three rounds bring a sample within 0.4 gray levels", corrected[3]["off LR"], below=0.4
    )
    lab.expect(
        "three rounds leave the sharpness as it is",
        corrected[3]["sharpness"] - corrected[0]["sharpness"],
        above=-2,
        below=2,
    )

# %% after f0605a02
if lab.recipe == "laptop":
    single_step = measure(few["Euler (1 step)"])
    lab.expect(
        "one step is as smooth as lab 01's image", single_step["sharpness"], above=45, below=75
    )
    lab.expect(
        "one step has nearly the PSNR of lab 01's network",
        table.PSNR["MSE (lab 01)"] - single_step["PSNR"],
        below=0.7,
    )
