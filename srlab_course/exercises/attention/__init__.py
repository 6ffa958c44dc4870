"""Exercises of the extra on window attention."""
