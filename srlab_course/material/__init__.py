"""What the lessons work with: photos in halves, precomputed images, images changed on purpose, measurements."""
