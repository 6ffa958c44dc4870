"""What the extra claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after 0b94e6f3
if lab.recipe == "laptop":
    photo_right, blur_right = learned.iloc[-1]
    lab.expect(
        "the network recognizes about a third of the photos", photo_right, above=25, below=50
    )
    lab.expect("the network recognizes about half of the blurs", blur_right, above=35, below=75)

# %% after 41f8c6b5
lab.expect("pixel distance finds patches flatter than the eye", busy["pixels"], below=0.6)
lab.expect(
    "the course's features find patches busier than pixel distance does",
    busy["course's"] / busy["pixels"],
    above=1,
    ratio=True,
)

# %% after 5a7293cd
equal = [F.mse_loss(image, face).item() / error.item() for image in distorted.values()]
lab.expect(
    "all four distorted faces have the same MSE", max(abs(one - 1) for one in equal), below=0.05
)
if lab.recipe == "laptop":
    for way in ("shift", "color cast", "brighter"):
        lab.expect(
            f"training lowers the relative cost of '{way}' by a quarter or more",
            table.loc[way, "yours"] / table.loc[way, "random"],
            below=0.75,
            usually=True,
        )
        lab.expect(
            f"'{way}' costs under a tenth of the blur for the course's features",
            table.loc[way, "course's"],
            below=0.1,
        )
