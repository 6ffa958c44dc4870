"""What a person types: the first and last cells of a lab, and the commands."""
