"""Exercises of lab 00: scores, resampling, and what an LR image leaves open."""
