"""What lab 00 says of its results; srlab/cli/claims.py says how these blocks are run."""

# %% after fbbe9ec2
gap = dots - torch.cos(2 * math.pi * alias / scale * kept)
lab.expect(gap.abs().max() < 1e-4, "both waves go through all the dots")
lab.expect(abs(alias) / scale < frequency, "the wave through the dots is coarser than the pattern")

# %% after decc0dfb
lab.expect((counts[True] - 1).abs().max() < 0.02, "with antialiasing every pixel has the same say")
if scale != 2:
    lab.expect(counts[False].max() > 1.2, "without antialiasing some pixels count more than others")
if scale == 4:
    lab.expect(counts[False].max() > 2, "some count more than twice")
    lab.expect(counts[False].min() < 0, "and others negatively")
aliased = [method for method in gaps if "aliased" in method or method == "nearest"]
means = {method: gap.mean() for method, gap in gaps.items()}
others = max(mean for method, mean in means.items() if method not in aliased)
if scale > 2:
    lab.expect(min(means[m] for m in aliased) > others, "the aliased methods are the farthest off")
lab.expect(gaps["nearest"].max() > 60, "single pixels are off by a large part of the range")

# %% after f9e37540
lab.expect(abs(decibels["blurred"] - decibels["noisy"]) < 0.1, "both have the same PSNR")
lab.expect(similarity["blurred"] > similarity["noisy"] + 0.1, "SSIM clearly prefers the blur")
noisy_at, blurred_at = ([at[name, p] for p in places] for name in ("noisy", "blurred"))
lab.expect(noisy_at == sorted(noisy_at), "noise counts most on the wall, least on the badge")
lab.expect(blurred_at == sorted(blurred_at, reverse=True), "with blur it's the other way round")
inside = {name: field[..., 4:-4, 4:-4].mean().item() for name, field in maps.items()}
same = all(abs(inside[name] - similarity[name]) < 0.02 for name in maps)
lab.expect(same, "the mean of the map is the SSIM")

# %% after ac61e98f
cost = prices.loc["bicubic"] - prices
if scale == 4:
    for method, better in {"bicubic": True, "bicubic-aliased": False}.items():
        ahead = distance[f"plain, from {method}"] > distance[f"network, from {method}"] + 1
        lab.expect(ahead == better, "the network is ahead on its own kind of LR image only")
lab.expect(cost.loc["nearest", "astronaut"] > 0.3, "keeping single pixels costs decibels")
if scale == 4:
    lab.expect(cost.loc["nearest", "astronaut"] > 1, "keeping single pixels costs more than 1 dB")
    lab.expect(cost.loc["bicubic-aliased", "astronaut"] > 0.3, "bicubic without antialiasing costs")
    lab.expect((cost.loc["lanczos"] < 0).all(), "Lanczos is ahead of bicubic on every photo")
    lab.expect(abs(cost.loc["area", "mean"]) < 0.2, "block averages are level with bicubic")
    lab.expect(cost.loc["bilinear", "mean"] > 0.3, "bilinear blurs too much")
    gap = cost.loc["bilinear"] - cost.loc["bilinear-aliased"]
    lab.expect((gap > 0.1).all(), "bilinear scores below bilinear-aliased on every photo")
if scale == 4 and "brick" in prices:
    lab.expect(abs(cost.loc["bicubic-aliased", "brick"]) < 0.15, "the bricks hardly lose")
    most = cost.loc["lanczos"].idxmin(), cost.loc["bilinear"].idxmax()
    lab.expect(most == ("brick", "brick"), "contrast pays most on the bricks")
    lab.expect(cost.loc["nearest, moved back", "brick"] < 0.3, "there nearest loses by its shift")
    lab.expect(cost.loc["nearest, moved back", "astronaut"] > 0.7, "elsewhere also by aliasing")

# %% after 1aacacf1
lab.expect(tenth > 0.7, "most of the squared error sits in few pixels")
scores = dict(zip(means["method"], means["psnr"], strict=True))
lab.expect(
    scores["nearest"] < scores["bilinear"] < scores["bicubic"], "a wider kernel scores better"
)
if scale > 2:
    lab.expect(abs(scores["bicubic"] - scores["lanczos"]) < 0.5, "bicubic and Lanczos are close")

# %% after 338b4ffa
lab.expect((small["HR"] - small["twin"]).abs().max() < 1e-5, "both have the same LR image")
lab.expect((hr - other).abs().max() > 0.1, "the twin is clearly another image")
lab.expect((other - other.clamp(0, 1)).abs().max() < 1e-5, "the twin is a possible photo")
lab.expect(rank == 32, "LR holds as many independent numbers as it has pixels")
lab.expect(lost < 0.1, "what LR holds carries most of the photo's variance")
usual, true, after_blur, single = scores.values()
lab.expect(true > usual + 0.3, "agreeing with LR helps where the assumption is right")
lab.expect(max(after_blur, single) < true - 0.3, "a wrong assumption costs")
lab.expect(after_blur < usual - 1, "undoing a blur that never was is worse than doing nothing")
lab.expect(min(apart, key=apart.get) == "bicubic (true)", "only the truth agrees with LR")

# %% after daedff5f
lab.expect(min(costs.values()) > 0, "every damage costs PSNR")
lab.expect(costs["all of them"] == max(costs.values()), "all damages together cost most")
if scale == 4:
    lab.expect(costs["JPEG 30"] > costs["100 photons"], "JPEG scores below few photons")
lab.expect(max(abs(alike["none"]), abs(alike[100])) < 0.12, "noise is nearly independent")
lab.expect(alike[30] > alike["none"] + 0.03, "JPEG makes neighbours err alike")
lab.expect(alike[5] > alike[30] + 0.05, "the more, the lower its quality")

# %% after 96bca76a
beyond = [s for f, s in zip(frequencies, shares["bicubic"], strict=True) if f > 1.2 * limit]
lab.expect(max(beyond) < 0.5, "bicubic has hardly any high frequencies")
lab.expect(0.1 < outside < 0.4, "outside the square bicubic has but a part, and it's copies")
bicubic_has, nearest_has, honest = up_to_limit.values()
lab.expect(
    nearest_has - honest > 0.4 * (nearest_has - bicubic_has),
    "much of the lead of nearest is aliasing",
)
