"""What the extra claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after 70010003
lab.expect("the file gives PyTorch's result, to a hundredth of a level", far_from_pytorch < 0.01)

# %% after 70020003
lab.expect("the broken function darkens the photo by half a level", 0.4 < darker < 0.7)
lab.expect(
    "the broken function loses over a tenth of a decibel",
    report(expected)[0] - report(broken)[0] > 0.1,
)

# %% after 70020008
lab.expect(
    "the program gives PyTorch's picture, to one level",
    program_error is None or program_error < 1.5,
)

# %% after 70030004
if onnxruntime:
    lab.expect("no pixel of float16 is off by a level", rows["float16"][2] < 1)
    lab.expect("float16 halves the file", 0.45 < rows["float16"][0] / rows["float32"][0] < 0.6)
    lab.expect(
        "static int8 shrinks the file to about a third",
        0.25 < rows["int8 static"][0] / rows["float32"][0] < 0.4,
    )
    lab.expect(
        "static int8 loses under a tenth of a decibel",
        rows["float32"][1] - rows["int8 static"][1] < 0.1,
    )

# %% after 70030006
if onnxruntime:
    lost = scores["twelve photos"][0] - scores["only the page"][0]
    brightest = next(Crops(["page"]).crops).max()
    lab.expect("the crop of the page has no white", brightest.item() < 0.95)
    lab.expect("calibrating with the page costs over a tenth of a decibel", lost > 0.1)

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

# %% after 70050004
networks = [costs[name]["PSNR"] for name in ("MSRResNet", "RRDB")]
lab.expect("each network beats bicubic by a decibel", min(networks) - costs["bicubic"]["PSNR"] > 1)
lab.expect(
    "the two networks are within a quarter of a decibel", abs(networks[0] - networks[1]) < 0.25
)
