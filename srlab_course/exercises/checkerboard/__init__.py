"""Exercise of the extra on checkerboard artifacts."""
