"""Evaluate upscalers: metrics, protocols, and tables of scores over image sets."""
