"""Plots, widgets and tables of the labs."""
