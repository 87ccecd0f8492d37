"""What can be mended in a map without drawing, and how a cut-out is framed."""
