"""Exercises of lab 01: the parts of a network for SR, how it is trained, and what its loss asks for."""
