"""Exercises of lab 05: metrics, LR consistency and paired comparisons."""
