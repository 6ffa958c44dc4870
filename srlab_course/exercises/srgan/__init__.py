"""Exercises of lab 03: a discriminator, and a generator that learns from it."""
