"""Evaluate upscalers: metrics, protocols, and tables of scores for image sets."""
