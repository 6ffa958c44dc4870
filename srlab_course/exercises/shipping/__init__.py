"""Exercise of the extra on shipping a network."""
