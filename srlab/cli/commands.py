"""The arguments of ``srlab upscale``, ``evaluate`` and ``export``.

A command names its function as ``module:function``, so that help and mistyped arguments need no torch, whose import
takes seconds.
"""

import argparse
from typing import Any

DEFAULT = "msrresnet"  # the network of ``srlab upscale`` without ``--run`` and ``--method``
RUN = (
    "<lab>/<name>, a run folder, a weights file (.safetensors or .pth, also of other architectures), a bundled "
    "network (msrresnet, rrdb, srgan: sharper but less faithful, or one_step: one of many answers), or realesrgan if "
    "it is installed"
)
METHODS = ["nearest", "bilinear", "bicubic", "lanczos"]
METHOD = "interpolation instead of a network"


def add_upscale(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab upscale``."""
    parser.add_argument("sources", nargs="+", metavar="IN", help="image, or folder of images with its subfolders")
    result = "folder for the results, or the result of a single image (.png, .jpg or .webp); nothing is overwritten "
    result += "(default: photo_x4.png next to photo.jpg, and the folder photos_x4 next to photos)"
    parser.add_argument("-o", "--out", metavar="OUT", help=result)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--run", metavar="RUN", help=f"{RUN} (default: {DEFAULT})")
    choice.add_argument("--method", choices=METHODS, help=METHOD)
    parser.add_argument("--scale", type=int, help="scale of --method (default: 4)")
    parser.add_argument("--tile", type=int, metavar="N", help="tile size in pixels (default: fits in 2 GB)")
    overlap = "overlap of the tiles in pixels (default: what the network sees around a pixel, at most 80)"
    parser.add_argument("--overlap", type=int, metavar="N", help=overlap)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument(
        "--precision",
        default="auto",
        help="numeric precision: fp32, bf16, or auto, the fastest (default: auto)",
    )
    seed = "random seed of a network that draws noise, a flow of lab 06 or 07; another seed gives another answer"
    parser.add_argument("--seed", type=int, metavar="N", help=f"{seed} (default: 0)")
    parser.set_defaults(command="srlab.cli.upscale_command:run")


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab evaluate``."""
    parser.add_argument("--hr", required=True, metavar="DIR", help="folder with ground-truth images")
    again = "repeat it, and mix it with the others, to compare several"
    many: dict[str, Any] = {"action": "append", "default": []}
    sr = f"folder with SR images that are named as the HR images; {again}"
    parser.add_argument("--sr", metavar="DIR", **many, help=sr)
    parser.add_argument("--run", metavar="RUN", **many, help=f"{RUN}; {again}")
    parser.add_argument("--method", choices=METHODS, **many, help=f"{METHOD}; {again}")
    suffix = "ending of the names in --sr, such as _x4 for baby_x4.png and baby.png (default: none)"
    parser.add_argument("--suffix", default="", metavar="TEXT", help=suffix)
    parser.add_argument("--device", default="auto", help="device for --run: auto, cpu or cuda (default: auto)")
    parser.add_argument("--scale", type=int, help="HR pixels per LR pixel (default: the network's, or 4)")
    protocols = "paper: Y, crop 4; basicsr: like paper, with gray files read as RGB; face: RGB, crop 0; study: "
    protocols += "RGB, crop 0, not rounded (default: paper)"
    parser.add_argument("--protocol", default="paper", choices=["paper", "basicsr", "face", "study"], help=protocols)
    parser.add_argument(
        "--metrics", nargs="+", default=["psnr", "ssim"], metavar="NAME", help="metrics (default: psnr ssim)"
    )
    weights = "ImageNet weights of metrics with a network, such as lpips: auto (no download), imagenet, or a path"
    parser.add_argument("--weights", default="auto", help=f"{weights} (default: auto)")
    parser.add_argument("--csv", metavar="FILE", help="also write the table to a CSV file")
    parser.add_argument("--force", action="store_true", help="overwrite the --csv file")
    parser.set_defaults(command="srlab.cli.evaluate_command:run")


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``srlab export``."""
    parser.add_argument("run", metavar="RUN", help=RUN)
    parser.add_argument("file", metavar="FILE", help="file to write: .onnx, or .safetensors for an RRDBNet")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.set_defaults(command="srlab.cli.export_command:run")
