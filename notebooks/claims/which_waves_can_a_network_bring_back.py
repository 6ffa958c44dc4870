"""What the extra says of its results; srlab/lab/claims.py says how these blocks are run."""

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
lab.expect(
    mean["bicubic"] < mean["MSRResNet"] < mean["SRGAN"] < mean["HR"],
    "SRGAN has more than MSRResNet",
)
lab.expect(
    in_far["bicubic"] < 0.1 < 0.4 < in_far["MSRResNet"], "bicubic ends soon, the networks don't"
)
lab.expect(
    in_corners["HR"] > 3 * max(v for k, v in in_corners.items() if k != "HR"),
    "only HR fills the corners",
)

# %% after 4b2e8f90
fall = strength["MSRResNet"][1]
lab.expect(
    fall[16] > fall[24] > fall[32] > fall[40] > fall[52], "MSRResNet's waves get weaker and weaker"
)
lab.expect(min(strength["SRGAN"][1][16:40]) > 0.5, "SRGAN's keep more than half up to 0.31")

# %% after 95d1c7e2
lab.expect(
    beyond["MSRResNet"] < min(beyond["SRGAN"], beyond["bicubic"]),
    "MSRResNet's error is the smaller one",
)
just = {name: sum(shares[16:24]) / 8 for name, (_, shares) in error.items()}
lab.expect(
    all(0.4 < just[name] < 0.6 for name in networks),
    "just beyond Nyquist both bring back about half",
)
lab.expect(0.7 < just["bicubic"] < 0.9, "bicubic brings back a small share there")
finest = {name: sum(shares[39:]) / len(shares[39:]) for name, (_, shares) in error.items()}
lab.expect(0.95 < finest["MSRResNet"] < 1.02, "from 0.3 on nothing comes back")
lab.expect(min(error["SRGAN"][1][39:]) > 1.03, "SRGAN's finest waves are not the photo's")
lab.expect(1.75 < beyond["moved"] < 2.1, "the error of moved waves is nearly twice that of none")
moved_strength = per_ring(moved, portrait)[1][16:]
mean_strength = sum(moved_strength) / len(moved_strength)
lab.expect(0.85 < mean_strength < 1.1, "moved waves are about as strong as the photo's")

# %% after ac5e0971
letters, fur = correlation.values()
lab.expect(min(letters.values()) > 0.6, "the strokes come back")
if not photo:
    lab.expect(max(v for k, v in fur.items() if k != "HR") < 0.35, "the fur does not")
    right = {name: crop[:, :, 72:].std().item() for name, crop in crops.items()}
    lab.expect(right["MSRResNet"] < 0.3 * right["HR"], "of the fur MSRResNet has next to nothing")
    rim = {name: crop[:, 20:56, :56].flatten() for name, crop in crops.items()}
    agree_there = torch.corrcoef(torch.stack([rim["MSRResNet"], rim["HR"]]))[0, 1].item()
    lab.expect(agree_there > 0.5, "the rim of the eye comes back")
