"""What the cells of a notebook call: setup and its recipes, guesses, headline, claims; and executing a notebook."""
