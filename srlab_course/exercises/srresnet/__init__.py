"""Exercises of lab 01: the parts of an SR network, its training loop, and what its loss rewards."""
