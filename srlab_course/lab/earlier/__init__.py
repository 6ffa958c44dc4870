"""What a lab takes from earlier ones: networks, answers, and whose code trained them."""
