"""Which image files are read. Nothing here needs torch or Pillow."""

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")  # all that is decoded: for an EPS file Pillow would run Ghostscript
