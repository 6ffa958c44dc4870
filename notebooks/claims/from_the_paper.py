"""What the extra claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after f70a0007
if srlab.find_compact():
    gains = {}
    for name, hr in pairs.items():
        sr = run(published, lr_images[name]).clamp(0, 1)
        gains[name] = (
            srlab.psnr(sr, hr).item() - srlab.psnr(srlab.upsample(lr_images[name], 4), hr).item()
        )
    lab.expect(
        "the compact network is nearly two decibels ahead on handwriting",
        gains["text"],
        above=1.5,
        below=2.2,
    )
    lab.expect("the compact network is over a decibel behind on fur", gains["chelsea"], below=-1)

# %% after f70a000f
lab.expect(
    "the network has the number of parameters in the text",
    srlab.parameter_count(published) == 621_424,
)

# %% after f70a001d
lab.expect("the published numbers give the published output", largest, below=1e-5)

# %% after f70a0021
lab.expect("PSNR does not see the padding of draft B", closeness["B"] == float("inf"))
if srlab.find_compact():
    for letter in ("C", "E"):
        lab.expect(f"draft {letter} is destroyed", closeness[letter], below=15)
    lab.expect("drafts A, D and F look different", max(closeness[x] for x in "ADF"), below=40)

# %% after f70a0024
for letter, row in zip("ABCDEF", (36, 35, 4, 37, 1, 33), strict=True):
    table = course.compare_layers(drafts[letter], published, small)
    marked = table.index[table["first difference"] != ""]
    lab.expect(f"the table marks the mistake of draft {letter}", list(marked) == [row])

# %% after f70a0029
if srlab.find_compact():
    mistakes = min(distance[f"draft {letter}"] for letter in drafts)
    lab.expect("float32 rounds by a millionth", distance["float32"], above=1e-7, below=5e-6)
    lab.expect("the tolerance is over a thousand times below each mistake", mistakes, above=0.01)
    lab.expect("bfloat16 rounds by more than a gray level", 255 * distance["bfloat16"], above=1)
    lab.expect(
        "bfloat16 rounds over a thousand times more than float32",
        distance["bfloat16"] / distance["float32"],
        above=1000,
    )
