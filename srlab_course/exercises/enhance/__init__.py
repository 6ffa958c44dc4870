"""Exercises of lab 08: several photos of one scene, and a label with a promise."""
