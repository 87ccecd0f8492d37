"""Metrics beside the usual ones: matting errors, size-invariant metrics, multiscale IoU and the context measures."""
