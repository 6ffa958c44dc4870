"""Exercise of the extra on a network that is written from its description."""
