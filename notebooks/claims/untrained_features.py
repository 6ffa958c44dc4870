"""What the extra claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after 419bea2b
if lab.recipe == "laptop":
    lab.expect(
        "random weights achieve less than three quarters of the hybrid's gain",
        achieved["random weights"],
        below=0.75,
    )
    lab.expect(
        "the sharpening filter achieves most of the hybrid's gain",
        achieved["sharpened"],
        above=0.5,
        below=1.3,
    )
    lab.expect(
        "the hybrid has a lower energy error on the fur than the filter",
        table["chelsea"]["sharpened"] - table["chelsea"]["hybrid"],
        above=0,
    )
