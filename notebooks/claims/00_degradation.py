"""What lab 00 claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after 0a11c004
table = pd.DataFrame(proof)
lab.expect(
    "the images of the riddle differ by up to 62 levels",
    table.loc["A and B"].round().tolist() == [62, 38, 53],
)
lab.expect(
    "their block means agree",
    table.loc["shrink(A, 4) and shrink(B, 4)"].max() < 1e-3,
)

# %% after 0a11c007
if scale == 4:
    at_edge = new_rows["cubic"]
    lab.expect(
        "the cubic kernel darkens the dark side of an edge", abs(at_edge[3].item() - 0.17) < 0.005
    )
    lab.expect("the cubic kernel brightens the bright side", abs(at_edge[5].item() - 0.83) < 0.005)
    others_at_edge = torch.stack([new_rows["box"], new_rows["linear"]])
    lab.expect(
        "box and linear leave the edge within its values",
        bool(others_at_edge.min() > 0.199) and bool(others_at_edge.max() < 0.801),
    )

# %% after 324fce53
average = ("downscale_matrix", "the same, antialias=True", "Pillow, BICUBIC")
others = ("hr[..., ::s, ::s]", "F.interpolate(bicubic)")
lab.expect(
    "LR made with antialiasing is within half a level of MATLAB's",
    max(far[name] for name in average) < 0.5,
)
if scale > 2:
    lab.expect(
        "LR made without antialiasing is more than two levels off",
        min(far[name] for name in others) > 2,
    )
    unstretched = resampling.resize(hr, 1 / scale, antialias=False).clamp(0, 1)
    missed = 255 * (unstretched - lr).abs().mean().item()
    share = missed / far["F.interpolate(bicubic)"]
    lab.expect("most of PyTorch's distance comes from missing antialiasing", share > 0.85)

# %% after 806737a8
for wanted_decibels, noisy_image in zip((25, 30, 35), noisy.values(), strict=True):
    found_decibels = psnr(noisy_image, hr, 0).item()
    lab.expect(
        f"the noise is made for {wanted_decibels} dB", abs(found_decibels - wanted_decibels) < 0.01
    )
lab.expect("half the squared error is 3 dB more", abs(psnr(half, hr, 0).item() - 28.01) < 0.01)

# %% after 0a11c012
in_color, as_in_papers = psnr(plain, hr, 4).item(), srlab.psnr(plain, hr).item()
lab.expect("luma raises the score by more than 1.3 dB", as_in_papers - in_color > 1.33)

# %% after 1aacacf1
ranked = means.set_index("method").psnr
if scale == 4 and not known:
    lab.expect(
        "PSNR rises from nearest over bicubic to the bundled network",
        list(ranked.sort_values().index) == list(methods),
    )

# %% after f2c450a7
lab.expect("a photo and its twin have the same LR image, to half a level", lr_apart < 0.5)
lab.expect("the twin is clearly another image", apart > 25)
lab.expect("the twin is an image", bool(twin.min() >= 0 and twin.max() <= 1))

# %% after 7a5c0000
if scale == 4:
    distances = curves["from bicubic"][1]
    lab.expect(
        "the first step removes more than half of the difference", distances[1] < distances[0] / 2
    )
    lab.expect(
        "later steps remove less and less",
        distances[2] / distances[1] < distances[9] / distances[8],
    )
    lab.expect("ten steps leave 0.05 levels", distances[-1] < 0.055)
    spot = torch.zeros(1, 1, 15, 15)
    spot[..., 7, 7] = 1
    found_again = to_lr(to_hr(spot))[0, 0]
    lab.expect("two thirds of a correction arrive", abs(found_again[7, 7].item() - 2 / 3) < 0.02)
    tenth, _ = agree(bicubic(lr), lr, to_lr, to_hr, 10)
    gained = (srlab.psnr(tenth, hr) - srlab.psnr(bicubic(lr), hr)).item()
    lab.expect("back-projection gains nearly a decibel", 0.8 < gained < 1)

# %% after 7a5c0001
dice = torch.Generator().manual_seed(seed)
to_try = {"noise": torch.rand(hr.shape, generator=dice)}
to_try["black or white"] = (to_try["noise"] > 0.5).float()
to_try["gray, black or white"] = to_try["black or white"][:, :1].expand_as(hr)
to_try["halftone"] = (to_hr(lr) > to_try["noise"][:, :1]).float()
to_try["grass"] = grass
if scale == 4:
    meant = {
        "noise": 18,
        "black or white": 16,
        "gray, black or white": 13,
        "halftone": 12,
        "grass": 22,
    }
    for name, first_image in to_try.items():
        fitted_to_lr, _ = agree(first_image, lr, to_lr, to_hr, 30)
        distance = abs(srlab.psnr(fitted_to_lr, hr).item() - meant[name])
        lab.expect(f"the PSNR of {name} made to agree with LR is {meant[name]} dB", distance < 0.3)
        gap = 255 * (to_lr(fitted_to_lr) - lr).abs().mean().item()
        lab.expect(f"{name} agrees with LR to half a level", gap < 0.5)

# %% after 6d0c0004
if scale == 4:
    repaired, before = scores["bad mirror: steps that undo one"], scores["bad mirror: bicubic"]
    lab.expect("ten steps repair the bad mirror to more than 27 dB", repaired > 27.3)
    lab.expect("ignoring the mirror isn't enough for 27 dB", before < 26)
    unblurred = scores["no mirror: bicubic"]
    unmirrored = scores["no mirror: ten steps"]
    lab.expect("the repair is nearly as good as no mirror", abs(repaired - unmirrored) < 0.3)
    lab.expect(
        "the wrong blur is worse than doing nothing",
        scores["no mirror: steps that undo one"] < unblurred - 2,
    )
    of_clean, of_noisy, of_unmirrored = after.values()
    lab.expect(
        "without noise, more steps undo more of the mirror", of_clean[2] > of_clean[1] + 0.05
    )
    lab.expect("with noise, ten steps still help", of_noisy[1] > of_noisy[0] + 0.5)
    lab.expect(
        "with noise, a hundred steps do harm, but not without a mirror",
        of_noisy[2] < of_noisy[0] - 0.3 and of_unmirrored[2] > of_unmirrored[0] + 0.3,
    )
    lab.expect(
        "the wrong blur scores worst",
        min(scores, key=scores.get) == "no mirror: steps that undo one",
    )

# %% after 5a3c0002
found = []
for (row, column), pair in zip(
    ((76, 108), (200, 196), (96, 252)), precomputed.riddle(), strict=True
):
    there = cat[..., row : row + 80, column : column + 124]
    found.append(
        "A" if torch.equal(pair[0], there) else "B" if torch.equal(pair[1], there) else "?"
    )
lab.expect("the photos of the first picture are B, A, B", " ".join(found) == "B A B")

# %% after f86dc12a
rest = min(score for name, score in scores.items() if name != "all of them")
lab.expect("all degradations together cost the most", rest - scores["all of them"], above=0)

# %% after 3fd5a002
decibels_of = {name: float(note.split()[0]) for name, note in notes.items()}
best = max(decibels_of, key=decibels_of.get)
lab.expect("Real-ESRGAN has the best PSNR on degraded handwriting", best == "Real-ESRGAN")
