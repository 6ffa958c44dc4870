"""What the first cell of a lab needs, and what it leads to."""
