"""Scene parsing, the task that PSPNet was published for: a class for every pixel, on the same commands as saliency."""
