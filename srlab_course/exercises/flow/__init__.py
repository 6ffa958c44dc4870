"""Exercises of lab 06: a flow from noise to images."""
