"""What the extra claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after 77f0dae8
if lab.recipe == "laptop":
    lab.expect(
        "spectral norm keeps the discriminator's slope below about 1", slopes["with"], below=1.05
    )
    lab.expect(
        "a discriminator without spectral norm is about 100 times as steep",
        slopes["without"] / slopes["with"],
        above=60,
        below=150,
    )
    lab.expect(
        "the discriminator with spectral norm puts all photos above all SR",
        logits["with"][45:].min() - logits["with"][:36].max(),
        above=0,
    )

# %% after 62d0a58d
if lab.recipe == "laptop":
    usual, free, slow = ends.values()
    lab.expect(
        "the logits end about 10 apart with spectral norm", usual, above=4, below=25, ratio=True
    )
    lab.expect(
        "the logits end further apart without spectral norm",
        free / usual,
        above=1,
        below=3,
        usually=True,
    )
    lab.expect(
        "the logits end less than 1 apart at a hundredth of the rate", slow, above=-1, below=1
    )
