"""The exercises: a folder for each lab, a file for each answer."""
