"""From image files to batches: images, resizing, degradations, sets, patches, downloads."""
