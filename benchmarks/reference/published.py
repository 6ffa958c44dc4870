"""Published results for the methods of the rows, with their budgets; PSNR / SSIM on Y, four pixels cropped."""

from typing import NamedTuple


class Published(NamedTuple):
    """One published network.

    Attributes
    ----------
    name
        Name, with the source.
    scores
        Set -> published PSNR in dB, with SSIM if it was reported.
    budget
        Steps, batch, data and parameters.
    """

    name: str
    scores: dict[str, str]
    budget: str


IMAGENET = "16 patches of 96 px, 350,000 photos, 1.5 million parameters"
DF2K = "16 patches of {} px, 3,450 photos of 2K{}, 16.7 million parameters"
LEDIG = "Ledig et al. 2017"

# Row -> its published counterpart.
PUBLISHED = {
    "bicubic": Published(
        "bicubic (Wang et al. 2018)", {"Set5": "28.42 / .8104", "Set14": "26.00 / .7027", "BSD100": "25.96 / .6675"}, ""
    ),
    "mse": Published(
        f"SRResNet-MSE ({LEDIG})",
        {"Set5": "32.05 / .9019", "Set14": "28.49 / .8184", "BSD100": "27.58 / .7620"},
        f"1,000,000 steps of {IMAGENET}",
    ),
    "vgg22": Published(
        f"SRResNet-VGG22 ({LEDIG})", {"Set5": "30.51 / .8803", "Set14": "27.19"}, f"1,000,000 steps of {IMAGENET}"
    ),
    "srgan": Published(
        f"SRGAN-VGG22 ({LEDIG})", {"Set5": "29.84", "Set14": "26.44"}, f"1,000,000 and 200,000 steps of {IMAGENET}"
    ),
    "srresnet-srgan": Published(
        f"SRGAN-VGG54 ({LEDIG}; features of a deeper layer)",
        {"Set5": "29.40", "Set14": "26.02", "BSD100": "25.16"},
        f"1,000,000 and 200,000 steps of {IMAGENET}",
    ),
    "esrgan-psnr": Published(
        "RRDB (Wang et al. 2018)",
        {"Set5": "32.73 / .9011", "Set14": "28.99 / .7917", "BSD100": "27.85 / .7455"},
        f"1,000,000 steps of {DF2K.format(192, '')}",
    ),
    "esrgan": Published(
        "ESRGAN (Wang et al. 2018; scores of Ma et al. 2020)",
        {"Set5": "30.45", "Set14": "26.28", "BSD100": "25.32"},
        f"1,000,000 and 400,000 steps of {DF2K.format('192 and 128', ' (the GAN: and those of OST)')}",
    ),
}
PUBLISHED["srresnet"] = PUBLISHED["mse"]
