"""Cut a folder of photos into crops with LR images, and keep some photos for validation.

``python data_scripts/prepare_images.py photos prepared``, and then in Python
``srlab.image_set("prepared/train")``. Run it again when there are new photos, or after a stop.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from srlab.base.errors import SrlabError

if TYPE_CHECKING:
    from srlab.data.preparation import Summary

NAMED = 5  # photos of a kind that are told by name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. Errors that the user can put right are one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", metavar="SOURCE", help="a folder of photos, with folders below")
    parser.add_argument("output", metavar="OUTPUT", help="the folder to make, elsewhere")
    parser.add_argument("--size", type=int, default=480, metavar="N", help="side of a crop in pixels (default: 480)")
    parser.add_argument("--step", type=int, default=240, metavar="N", help="from crop to crop (default: 240)")
    parser.add_argument("--scale", type=int, default=4, metavar="N", help="HR pixels per LR pixel (default: 4)")
    parser.add_argument("--validation", type=float, default=0.05, metavar="SHARE", help="of photos (default: 0.05)")
    parser.add_argument(
        "--min-contrast",
        type=float,
        default=4.0,
        metavar="T",
        help="leave out crops whose luma varies less, in 8-bit levels (default: 4)",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="threads (default: the number of cores)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be made")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C
    try:
        from srlab.data.preparation import prepare  # slow to import

        summary = prepare(**vars(options))
    except SrlabError as error:
        print(f"prepare_images: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nprepare_images: stopped; files are whole, and the same command goes on from there.", file=sys.stderr)
        return 130
    report(summary, options.dry_run)
    if options.validation and not summary.sides["validation"]:
        print("Chance drew no photo for validation: score on a benchmark set, or take a larger share.", file=sys.stderr)
    return 1 if summary.failed else 0


def report(summary: "Summary", dry_run: bool) -> None:
    """Print the counts, and name the photos that one should know of on stderr."""
    made = f"{summary.made} {'to make' if dry_run else 'made'}, {summary.unchanged} as before"
    print(f"{summary.photos} photos: {made}, {len(summary.failed)} failed.")
    sides = f"{summary.sides['train']} photos in train, {summary.sides['validation']} in validation"
    about, most = ("about ", "at most ") if dry_run else ("", "")
    print(f"{most}{summary.pairs} pairs of HR and LR, {about}{summary.bytes / 2**20:.1f} MiB: {sides}.")
    flat = {photo: f"{count} flat crops left out" for photo, count in summary.flat.items()}
    gone = dict.fromkeys(summary.gone, "no longer among the photos; its files stay")
    for kind, photos in {"flat": flat, "skipped": summary.skipped, "gone": gone, "failed": summary.failed}.items():
        for photo, reason in list(photos.items())[:NAMED]:
            print(f"{kind} {photo}: {reason}", file=sys.stderr)
        if len(photos) > NAMED:
            print(f"{kind}: and {len(photos) - NAMED} more", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
