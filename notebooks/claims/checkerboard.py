"""What the extra claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after c4ec0106
lab.expect(
    "ICNR removes most of a new network's checkerboard",
    levels["with ICNR"] / levels["default"],
    below=1 / 5,
)

# %% after c4ec0109
if lab.recipe == "laptop":
    late = {name: max(curve[1][-4:]) for name, curve in curves.items()}  # from step 36 on
    lab.expect(
        "MSE training lowers the checkerboard",
        max(late.values()) / curves["default"][1][0],
        below=1,
        usually=True,
    )
    lab.expect(
        "after MSE training the checkerboard is below a gray level",
        max(late.values()),
        below=1,
        usually=True,
    )
    lab.expect(
        "after 36 steps the checkerboards of both initializations are within 1.5 gray levels",
        late["default"] - late["with ICNR"],
        above=-1.5,
        below=1.5,
    )

# %% after c4ec0204
if lab.recipe == "laptop":
    lab.expect("the start has no visible checkerboard", grid["the start"], below=0.3)
    lab.expect(
        "pixel and content loss cause a strong checkerboard", grid["content"], above=1, ratio=True
    )
    lab.expect(
        "four times the pixel weight keeps the checkerboard faint",
        grid["content, four times the pixels"],
        below=1.5,
    )
