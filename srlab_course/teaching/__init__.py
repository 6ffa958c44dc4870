"""What a teacher needs: solutions, handouts, grades."""
