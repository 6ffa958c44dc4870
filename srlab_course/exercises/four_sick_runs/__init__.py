"""Exercises of the extra on four sick training runs."""
