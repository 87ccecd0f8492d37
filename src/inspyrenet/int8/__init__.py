"""Exported networks in int8: made by calibration, tried on held-out pairs, kept only where their maps stay good."""
