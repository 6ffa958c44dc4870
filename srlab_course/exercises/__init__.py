"""Exercises: one folder per lab, one file per answer."""
