"""Exercises of lab 04, ESRGAN: its blocks, its losses and network interpolation."""
