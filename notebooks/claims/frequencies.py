"""What the extra claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after 8ad4f519
outside = torch.ones(height, width, dtype=torch.bool)
outside[square[0] : square[0] + square[2], square[1] : square[1] + square[3]] = False
far = torch.ones_like(outside)
far[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = False
corners = torch.zeros_like(outside)
corners[: height // 8, : width // 8] = True
mean = {name: field[outside].mean().item() for name, field in waves.items()}
in_far = {name: field[far].mean().item() for name, field in waves.items()}
in_corners = {name: field[corners].mean().item() for name, field in waves.items()}
ranking = torch.tensor([mean[name] for name in ("bicubic", "MSRResNet", "SRGAN", "HR")])
lab.expect(
    "fine waves get stronger from bicubic to MSRResNet, SRGAN, and HR",
    ranking.diff().min(),
    above=0,
)
lab.expect("bicubic has no waves far beyond Nyquist", in_far["bicubic"], below=0.1)
lab.expect("MSRResNet has waves far beyond Nyquist", in_far["MSRResNet"], above=0.4)
lab.expect(
    "HR alone fills the corners of the spectrum",
    in_corners["HR"] / max(v for k, v in in_corners.items() if k != "HR"),
    above=3,
)

# %% after 4b2e8f90
fall = torch.tensor([strength["MSRResNet"][1][number] for number in (16, 24, 32, 40, 52)])
lab.expect("MSRResNet's waves get weaker and weaker beyond Nyquist", -fall.diff().max(), above=0)
lab.expect(
    "SRGAN keeps more than half of HR's energy up to 0.31",
    min(strength["SRGAN"][1][16:40]),
    above=0.5,
)

# %% after 95d1c7e2
lab.expect(
    "MSRResNet has the smallest error energy beyond Nyquist",
    min(beyond["SRGAN"], beyond["bicubic"]) / beyond["MSRResNet"],
    above=1,
)
just = {name: sum(shares[16:24]) / 8 for name, (_, shares) in error.items()}
for name in networks:
    lab.expect(
        f"{name} recovers about half of the energy just beyond Nyquist",
        just[name],
        above=0.4,
        below=0.6,
    )
lab.expect(
    "bicubic recovers a small share of the energy just beyond Nyquist",
    just["bicubic"],
    above=0.7,
    below=0.9,
)
finest = {name: sum(shares[39:]) / len(shares[39:]) for name, (_, shares) in error.items()}
lab.expect("MSRResNet recovers nothing from 0.3 on", finest["MSRResNet"], above=0.95, below=1.02)
lab.expect("SRGAN's finest waves differ from the photo's", min(error["SRGAN"][1][39:]), above=1.03)
lab.expect(
    "shifted waves have nearly twice the error energy of no waves",
    beyond["shifted"],
    above=1.75,
    below=2.1,
)
moved_strength = per_ring(moved, portrait)[1][16:]
mean_strength = sum(moved_strength) / len(moved_strength)
lab.expect("shifted waves are about as strong as the photo's", mean_strength, above=0.8, below=1.1)

# %% after ac5e0971
letters, fur = correlation.values()
lab.expect("the networks recover the strokes", min(letters.values()), above=0.6)
if not photo:
    lab.expect(
        "the networks do not recover the fur",
        max(v for k, v in fur.items() if k != "HR"),
        below=0.35,
    )
    right = {name: crop[:, :, 72:].std().item() for name, crop in crops.items()}
    lab.expect(
        "MSRResNet draws little of the fur's fine waves",
        right["MSRResNet"] / right["HR"],
        below=0.3,
    )
    rim = {name: crop[:, 20:56, :56].flatten() for name, crop in crops.items()}
    agree_there = torch.corrcoef(torch.stack([rim["MSRResNet"], rim["HR"]]))[0, 1].item()
    lab.expect("MSRResNet recovers the rim of the eye", agree_there, above=0.5)
