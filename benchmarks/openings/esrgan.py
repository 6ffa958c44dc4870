"""A spoilt cat and a face by the published network, from the rows that come with srlab, for lab 04's first screen."""

from benchmarks.openings.strips import write
from srlab.course import kept
from srlab.view import plots

LABELS = {"bicubic": "bicubic", "SRGAN": "this course so far", "RealESRGAN": "the published network", "HR": "HR"}
BOX = (0, 8, 144, 140)  # top, left, height, width; four of these fit twice enlarged

if __name__ == "__main__":
    rows = [kept.row(name)[0] for name in ("cat_spoilt", "face")]
    print(write("04_esrgan", [{title: plots.cut(row[key], BOX) for key, title in LABELS.items()} for row in rows]))
