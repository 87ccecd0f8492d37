"""Interactive segmentation: a person says what to keep and what to remove, and the network's finer stages find the edges."""
