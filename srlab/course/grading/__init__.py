"""Grading: what was handed in, what its saved outputs say, and executing its answers again, apart from all else."""
