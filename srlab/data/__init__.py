"""Turn image files into training batches: images, resizing, degradations, image sets, patches and downloads."""
