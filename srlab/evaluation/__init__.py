"""What a result is worth: metrics, tables over image sets, and mean opinion scores."""
