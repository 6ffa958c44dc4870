"""The exercises of lab 05."""
