"""Exercise of the extra on checkerboards."""
