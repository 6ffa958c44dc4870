"""What lab 08 claims about its results. For how these blocks run, see notebook_files/claims.py."""

# %% after e8020008
if lab.recipe == "laptop":
    lab.expect("sixteen photos give the badge over 30 dB", decibels(rebuilt[16]), above=30)
    lab.expect("one photo gives it less than 23 dB", decibels(rebuilt[1]), below=23)
    known = srlab.psnr(drawn[network], badge_hr).item()
    lab.expect("the best network gives it less than 25 dB", known, below=25)

# %% after e8020010
if lab.recipe == "laptop":
    gain = decibels(steady) - decibels(rebuilt[1])
    lab.expect("sixteen photos from a tripod gain less than 1 dB", gain, below=1)

# %% after e8030003
lab.expect(
    "one frame leaves 24 of 32 numbers open", left_open["shifts 0"]["numbers left open"] == 24
)
lab.expect("four shifts leave one open", left_open["shifts 0 to 3"]["numbers left open"] == 1)
lab.expect("equal shifts close nothing", left_open["shifts 0, 0, 0, 0"]["numbers left open"] == 24)

# %% after e8030007
if lab.recipe == "laptop":
    lab.expect("filtered frames gain less than a third", share, below=1 / 3, ratio=True)
    lead = decibels(from_filtered[1]) - decibels(rebuilt[1])
    lab.expect("with one frame the filtering camera is ahead", lead, above=0)
    behind = decibels(rebuilt[16]) - decibels(from_filtered[16])
    lab.expect("with sixteen frames the filtering camera is far behind", behind, above=5)

# %% after e8040006
if lab.recipe == "laptop":
    lab.expect("the worst shift is off by about a tenth of a pixel", off, above=0.05, below=0.2)
    lab.expect("estimated shifts give the badge over 29 dB", decibels(blind), above=29)

# %% after e8060008
if lab.recipe == "laptop":
    lab.expect("on average 3.5 % are trusted and wrong", risks.mean(), above=0.03, below=0.04)
    lab.expect("the promise is kept in over 190 of 200 splits", kept, above=190)

# %% after e8060010
if lab.recipe == "laptop":
    lab.expect("the label trusts about a fifth", trusted_share, above=0.12, below=0.32)
    lab.expect("four in five of the trusted pixels are right", right_share, above=0.75, below=0.85)
    kept_below = (trusted & bad).float().mean().item()
    lab.expect("the promise is kept on the lower half", kept_below, below=0.05)

# %% after e8070003
if lab.recipe == "laptop":
    bad = beyond["trusted and wrong"]
    lab.expect("on the bricks the promise is kept", bad["bricks"], below=0.05)
    lab.expect("blur breaks the promise by far", bad["gravel, blur of 2 pixels"], above=0.07)
    lab.expect("JPEG breaks the promise by far", bad["gravel, JPEG 30"], above=0.07)
    more = beyond.trusted.iloc[2:].min() - beyond.trusted["gravel"]
    lab.expect("the label trusts more of the degraded images", more, above=0)

# %% after e8070007
if lab.recipe == "laptop":
    by_name = worth.trusted.astype(float)
    dice = by_name["SRGAN, at random"]
    lab.expect("dice trust about a tenth", dice, above=0.085, below=0.115)
    lab.expect("SRGAN's roughness trusts over a fifth", by_name["SRGAN"], above=0.2)
    others = four.drop("Real-ESRGAN").astype(float).min()
    lab.expect("Real-ESRGAN is trusted least", others - by_name["Real-ESRGAN"], above=0)
    lab.expect("Real-ESRGAN is trusted less than a tenth", by_name["Real-ESRGAN"], below=0.1)
    wrong_here = float(worth.wrong["Real-ESRGAN"])
    lab.expect("over half of Real-ESRGAN's pixels are wrong", wrong_here, above=0.5)
    again = by_name["the one-step mean, again"] / by_name["the one-step mean"]
    lab.expect("roughness trusts as much as the spread", again, above=0.97, ratio=True)

# %% after e8040008
if lab.recipe == "laptop":
    ours, theirs = table["our sensor"], table["borrowed_sensor"]
    more = theirs["misfit"] / ours["misfit"]
    lab.expect("the borrowed sensor fits as well", more, above=0.7, below=1.5, ratio=True)
    lost = ours["PSNR"] - theirs["PSNR"]
    lab.expect("the borrowed sensor costs over 8 dB", lost, above=8)

# %% after e8070005
if lab.recipe == "laptop":
    from_bicubic = averaged((gray(gan) - gray(srlab.upsample(small, scale)))[0].abs())
    share = test_promise(from_bicubic, wrong_pixels(gan))[0].mean().item()
    lab.expect("the distance from bicubic trusts 22 %", share, above=0.21, below=0.23)

# %% after e8070012
if lab.recipe == "laptop":
    lab.expect("pixels are right more often where the samples agree more", right == sorted(right))
