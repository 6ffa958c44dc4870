"""Enlarging whole images, files and folders in bounded memory."""
