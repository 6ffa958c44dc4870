"""What the extra claims about its results; srlab/course/claims.py explains how these blocks run."""

# %% after 8888006a
lab.expect("an overlap of the receptive radius leaves no seam", errors[-1], below=0.01)
lab.expect("tiles without overlap are off by over 12 gray levels", errors[0], above=12)
lab.expect("an overlap of 6 to 8 LR pixels is enough", first, above=5, below=9)
saved = [srlab.to_uint8(x).int() for x in (tiling.upscale(network, lr, tile=32), whole)]
lab.expect(
    "srlab's default overlap changes a pixel by at most one gray level",
    (saved[0] - saved[1]).abs().max(),
    below=2,
)
