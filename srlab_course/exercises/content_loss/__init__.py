"""Exercises of lab 02: a loss on the features of a trained network."""
