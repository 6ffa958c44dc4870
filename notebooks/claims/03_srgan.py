"""What lab 03 says of its results; srlab/cli/claims.py says how these blocks are run."""

# %% after 0767fcce
lab.expect(radius < 0.3, "the squared error puts its points near the middle of the ring")

# %% after bd958d51
lab.expect(slopes["log(1 - D)"][0] < 0.001, "log(1 - D) has almost no slope where D is sure")
lab.expect(slopes["-log D"][0] > 0.99, "-log D pulls with full strength there")

# %% after 4f95009f
lab.expect(norms["discriminator(sr)"] > 0, "G's loss reaches G")
lab.expect(sum(norms.values()) == norms["discriminator(sr)"], "a detach on the way cuts G off")
