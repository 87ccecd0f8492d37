"""Models, encoders, losses, metrics, augmentations and data sets from outside this package; docs/extending.md."""
