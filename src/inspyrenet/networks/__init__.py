"""Trained networks, ready for images: NumPy arrays in, maps out, whatever computes them. Only `torch_network` needs torch."""
