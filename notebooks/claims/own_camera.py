"""What the extra claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after 0ca10103
if not photo:
    notes = [srlab.psnr(sr, portrait).item() for sr in clean_sr.values()]
    lab.expect(
        "the network trained on clean LR is behind bicubic on the camera",
        notes[1] - notes[0],
        above=-0.6,
        below=0.15,
    )

# %% after 0ca10503
if lab.recipe == "laptop":
    for kind in ("clean", "blur", "noise + JPEG"):
        row = grid.loc[f"LR: {kind}"].drop("bicubic")
        lab.expect(
            f"the specialist wins its row: {kind}",
            row[f"trained on {kind}"] - row.drop(f"trained on {kind}").max(),
            above=0,
        )
    lab.expect(
        "the blind network is within half a decibel of bicubic on blind LR",
        gains.loc["LR: blind", "trained on blind"],
        above=-0.5,
        below=0.5,
    )
    lab.expect(
        "the blind network gains on blur", gains.loc["LR: blur", "trained on blind"], above=0
    )
    lab.expect(
        "the blur network is decibels behind bicubic on noise",
        gains.loc["LR: noise + JPEG", "trained on blur"],
        below=-2,
    )
    lab.expect(
        "the blind network's worst row is at most 1.2 dB behind bicubic",
        gains["trained on blind"].min(),
        above=-1.2,
    )
    lab.expect(
        "the worst row of the network for noise and JPEG is less than half a decibel behind bicubic",
        gains["trained on noise + JPEG"].min(),
        above=-0.5,
    )
    lab.expect(
        "the blind network beats that of the broken pipeline on all known kinds",
        min(gains.loc[f"LR: {kind}", "trained on blind"] - symptom[kind] for kind in symptom),
        above=0,
        usually=True,
    )
    lab.expect(
        "blind training costs over a decibel on clean LR",
        grid.loc["LR: clean", "trained on clean"] - grid.loc["LR: clean", "trained on blind"],
        above=1,
    )

# %% after 0ca10603
if not photo:
    scores = without_hr["LR consistency"]
    lab.expect(
        "LR consistency puts bicubic decibels before HR", scores["bicubic"] - scores["HR"], above=6
    )
    lab.expect(
        "LR consistency puts the clean network decibels before bicubic",
        scores["trained on clean"] - scores["bicubic"],
        above=5,
    )
    if lab.recipe == "laptop":
        others = of_networks["LR consistency"].drop("trained on clean").max()
        lab.expect(
            "LR consistency prefers the network trained on clean LR",
            scores["trained on clean"] - others,
            above=0,
        )
        blurriness = of_networks["blur effect"]
        lab.expect(
            "the blur effect prefers the network trained on blur",
            blurriness["trained on blur"] - blurriness.drop("trained on blur").min(),
            below=0,
        )
        lab.expect(
            "the network trained on blur is decibels behind bicubic on the camera",
            without_hr.PSNR["trained on blur"] - without_hr.PSNR["bicubic"],
            below=-2,
        )

# %% after 0ca10705
if lab.recipe == "laptop":
    lab.expect(
        "the narrow network beats the wide one on the camera",
        on_camera["trained on narrow"] - on_camera["trained on blind"],
        above=0,
        usually=True,
    )
    lab.expect(
        "the narrow network is about level with bicubic on the camera",
        on_camera["trained on narrow"] - on_camera["bicubic"],
        above=-0.7,
        below=0.7,
    )
