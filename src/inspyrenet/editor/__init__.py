"""Prompts over HTTP, and the page that people draw them on (extra serve)."""
