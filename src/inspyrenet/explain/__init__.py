"""Pictures of what a trained network sees: the levels of its pyramid, and what its attention looks at."""
