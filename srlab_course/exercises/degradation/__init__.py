"""Exercises of lab 00: metrics, resampling, and what an LR image leaves open."""
