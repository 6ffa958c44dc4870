"""Exercises of the extra on training for your own camera."""
