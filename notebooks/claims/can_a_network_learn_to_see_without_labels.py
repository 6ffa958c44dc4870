"""What the extra says of its results; srlab/lab/claims.py says how these blocks are run."""

# %% after 0b94e6f3
if lab.recipe == "laptop":
    photo_right, blur_right = learned.iloc[-1]
    lab.expect(25 < photo_right < 50, "it names about a third of the photos, four times chance")
    lab.expect(42 < blur_right < 65, "about half of the blurs are right")

# %% after 41f8c6b5
lab.expect(busy["pixels"] < 0.6, "pixels find flat patches")
lab.expect(busy["course's"] > 1.5 * busy["pixels"], "the course's features find more in them")

# %% after 5a7293cd
equal = [F.mse_loss(image, face).item() / error.item() for image in spoiled.values()]
lab.expect(max(abs(one - 1) for one in equal) < 0.05, "all four have the same squared error")
if lab.recipe == "laptop":
    for way in ("shift", "tint", "brighter"):
        before, after = table.loc[way, "random"], table.loc[way, "yours"]
        lab.expect(after < 0.5 * before, f"{way}: far cheaper after training")
        lab.expect(table.loc[way, "course's"] < 0.1, f"{way}: next to nothing for the course's")
