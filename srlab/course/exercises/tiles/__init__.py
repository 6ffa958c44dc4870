"""Exercise of the extra on photos of any size."""
