"""What a reader looks at: figures, monitors, sliders."""
