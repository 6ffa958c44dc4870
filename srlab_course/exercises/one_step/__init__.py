"""Exercises of lab 07: a flow in one step."""
