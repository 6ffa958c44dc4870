"""Exercises of lab 04, ESRGAN: its block, its losses, its features and one of its faults."""
