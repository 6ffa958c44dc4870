"""What lab 03 says of its results; srlab/cli/claims.py says how these blocks are run."""

# %% after 4f95009f
lab.expect(slopes["log(1 - D)"][0] < 0.001, "log(1 - D) has almost no slope where D is sure")
lab.expect(slopes["-log D"][0] > 0.99, "-log D pulls with full strength there")
lab.expect(norms["discriminator(sr)"] > 0, "G's loss reaches G")
lab.expect(sum(norms.values()) == norms["discriminator(sr)"], "a detach on the way cuts G off")

# %% after 6a59a526
lab.expect(radius < 0.3, "the squared error puts its points near the middle of the ring")
lab.expect(on_the_ring > 0.8, "the GAN of the toy finds the ring")
lab.expect(abs(says["real points"] - 0.5) < 0.1, "D says about one half of real points in the end")
lab.expect(says["MSE's points"] < 0.35, "D knows that nothing real is in the middle")
lab.expect(slices(film[800][0]) >= 10, "it covers the ring")
middle = hasty_says["MSE's points"]
lab.expect(abs(middle - 0.5) < 0.2, "a D that is led about knows nothing of the middle")
lab.expect(slices(hasty[800][0]) <= 8, "a G that learns ten times faster does not cover the ring")

# %% after 4bbd9330
if lab.recipe == "laptop":
    lab.expect(max(shares) > 0.6, "D soon tells a smooth picture from a photo")

# %% after 6b0019d7
against_bicubic = (scores["SRGAN"] - scores["bicubic"]).psnr.mean()
ranked = rank(discriminator, generator, unseen_pairs)
if lab.recipe == "laptop":
    lab.expect(removed["SRGAN"] >= 100 * lab.min_gone, "SRGAN removes most of the energy error")
    lab.expect(against_bicubic >= -lab.max_loss, "PSNR stays near that of bicubic")
    for other in (name for name in order if name != "SRGAN"):
        closer = energy["SRGAN"] < energy[other]
        lab.expect(closer, f"SRGAN's energy error is below that of {other}")
    if "without D" in removed:
        gained = removed["SRGAN"] - removed["without D"]
        lab.expect(gained >= 100 * lab.min_d_gain, "without D, less of it goes")
    means = pd.DataFrame({name: table.mean() for name, table in scores.items()}).T
    lab.expect(means.psnr.idxmax() == "MSE", "the squared error wins PSNR")
    lab.expect(means.gradient_ratio.idxmax() == "SRGAN", "SRGAN is the sharpest")
    lab.expect(0.5 <= ranked <= 1, "D still tells unseen stones from drawn ones")

# %% after ae7c86fe
if lab.recipe == "laptop" and lab.adversarial_weight and lab.subject:
    slow, usual = (games.loc[pace] for pace in ("a hundredth", "this lab's"))
    lab.expect(
        slow["energy error"] > 1.3 * usual["energy error"],
        "G learns little from a D that hardly learns",
    )
    alone = games.loc["without D"]
    lab.expect(
        abs(slow["energy error"] - alone["energy error"]) < 0.06,
        "about as little as from no D at all",
    )
    lab.expect(slow.distance < usual.distance / 3, "such a D hardly tells HR from the start")

# %% after 6db3bab7
lab.expect(boards["with ICNR"] < boards["as drawn"] / 2, "ICNR takes most of the pattern away")
