"""Salient object detection with InSPyReNet, BiRefNet and PSPNet."""
