"""Figures, training monitors, and the comparison slider."""
