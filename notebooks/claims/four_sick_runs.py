"""What the extra claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after f05c0107
if lab.recipe == "laptop":
    lab.expect(
        "0.0001 has an update ratio of a few thousandths",
        typical[1e-4],
        above=0.0004,
        below=0.006,
        ratio=True,
    )
    lab.expect(
        "0.0001 is the rate nearest to a thousandth",
        min(RATES, key=lambda rate: abs(typical[rate] - 1e-3)) == 1e-4,
    )
    lab.expect("0.001 makes steps of hundredths", typical[1e-3], above=8e-3, below=0.08)
    lab.expect(
        "0.001 is ahead of 0.0001 after a hundred steps", gains[1e-3] - gains[1e-4], above=0.3
    )
    lab.expect("0.0001 gets nowhere in a hundred steps", gains[1e-4], below=-0.3)

# %% after f05c0109
if lab.recipe == "laptop":
    lost = [
        statistics.fmean(layer["dead"] for layer in panels[rate].rows[-1].values())
        for rate in (1e-3, 2e-3)
    ]
    lab.expect(
        "more features are dead with 0.002 than with 0.001",
        lost[1] - lost[0],
        above=0,
        usually=True,
    )

# %% after f05c0304
if lab.recipe == "laptop":
    dead = [statistics.fmean(layer["dead"] for layer in row.values()) for row in panel_a.rows]
    first = statistics.median(layer["ratio"] for layer in panel_a.rows[0].values())
    lab.expect("Project A's first steps change a weight by half", 10**first, above=0.4)
    lab.expect("nearly all features of Project A die", dead[-1], above=0.8)
    lab.expect("Project A ends as bilinear upscaling", gain(a, pairs), below=-0.5)

# %% after f05c0306
if lab.recipe == "laptop":
    photos, held_out = photos_for("b")
    many = load_project("b").sample_pairs(photos, 128, 16, torch.Generator().manual_seed(seed))[0]
    gap = statistics.fmean(probes.mode_gap(b, few) for few in many.split(8))
    lab.expect("Project B stays near bicubic", gain(b, held_out), above=-0.2, below=0.25)
    lab.expect("Project B's modes differ", gap, above=0.03, usually=True)

# %% after f05c0308
if lab.recipe == "laptop":
    lost = -gain(c, photos_for("c")[1])
    lab.expect("Project C loses more than a decibel", lost, above=1, ratio=True)

# %% after f05c0310
if lab.recipe == "laptop":
    late = statistics.fmean(row["d"] for row in log_d[-40:])
    lab.expect("D wins in Project D", late, below=0.4)

# %% after f05c0703
if lab.recipe == "laptop":
    lab.expect("Project A, repaired, beats bicubic", over["A, repaired"], above=0.1)
    lab.expect("Project B, repaired, beats bicubic", over["B, repaired"], above=0.25)
    lab.expect("Project C, repaired, beats bicubic", over["C, repaired"], above=0)
    late = statistics.fmean(row["d"] for row in repaired["d"][1][-40:])
    lab.expect("D doesn't win in Project D, repaired", late, above=0.65, usually=True)
