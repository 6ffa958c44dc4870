"""Published results of the study: mean PSNR in dB and "SSIM" (probably MS-SSIM) on RGB; and those of bicubic."""

_COLUMNS = ("MSE", "VGG19_5_4", "Res18_4", "Res34_3", "Res34_5", "hybrid VGG19_5_4", "hybrid Res34_3")
_TABLES = {
    ("SRResNet", 250, "Set5"): "23.13/.9348 14.68/.8186 16.79/.8017 14.90/.8287 14.58/.8184 23.42/.9379 23.34/.9413",
    ("SRResNet", 250, "Set14"): "21.73/.9090 14.00/.8064 16.29/.7812 14.67/.8104 14.37/.7989 22.16/.9112 21.99/.9164",
    ("SRGAN", 200, "Set5"): "24.17/.9470 20.12/.8926 20.21/.8917 18.88/.8754 18.75/.8706",
    ("SRGAN", 200, "Set14"): "22.50/.9203 19.40/.8783 19.29/.8462 18.03/.8465 18.02/.8449",
    ("SRGAN", 100, "Set5"): "23.07/.9364 20.96/.9073 20.44/.8717 19.62/.8891 19.24/.8769 23.48/.9426 23.29/.9375",
    ("SRGAN", 100, "Set14"): "21.73/.9106 20.33/.8920 19.59/.8485 18.88/.8561 18.42/.8494 22.21/.9197 21.96/.9120",
}
# (method, epochs, set, loss) -> (PSNR, "SSIM"), where it was reported.
PUBLISHED = {
    (*key, loss): tuple(float(number) for number in cell.split("/"))
    for key, cells in _TABLES.items()
    for loss, cell in zip(_COLUMNS, cells.split(), strict=False)
}
# Bicubic interpolation on RGB without crop, measured with srlab: PSNR, SSIM, MS-SSIM.
BICUBIC = {"Set5": (26.70, 0.774, 0.955), "Set14": (24.26, 0.665, 0.924)}


def cell(method: str, epochs: int, name: str, loss: str) -> str:
    """Return published PSNR and "SSIM" for a table, or a dash."""
    found = PUBLISHED.get((method, epochs, name, loss))
    return f"{found[0]:.2f} / {found[1]:.4f}" if found else "-"


READING = (
    "Published numbers are on RGB without a crop. On Set5, bicubic has 26.70 dB, and none of the 19 published networks "
    "reaches it (the best has 24.17 dB). On Set14, bicubic has 24.26 dB and the best network 22.50 dB. And yet all 19 "
    'have an "SSIM" above bicubic\'s SSIM of 0.774 and 0.665. So the "SSIM" is probably MS-SSIM, where bicubic has '
    "0.955 and 0.924: compare it with our third number. We score moving averages of the weights (EMA), which the study "
    "did not use. With several seeds, ± is half of the 95 % interval of the mean (Student's t) and n the number of "
    "seeds."
)
