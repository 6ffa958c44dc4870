"""What the extra says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after 8888006a
lab.expect(errors[-1] < 0.01 < errors[0], "tiles have seams, and none at the receptive radius")
lab.expect(errors[0] > 12, "without context a pixel is off by dozens of levels")
lab.expect(6 <= first <= 8, "about two thirds of the radius are enough")
saved = [srlab.to_uint8(x).int() for x in (tiling.upscale(network, lr, tile=32), whole)]
lab.expect((saved[0] - saved[1]).abs().max() <= 1, "the overlap that srlab takes is invisible")
