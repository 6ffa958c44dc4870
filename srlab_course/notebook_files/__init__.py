"""Notebooks as files: find, read and execute them, and what their outputs keep."""
