"""Animated GIF, WebP and PNG, and folders of numbered pictures: by Pillow and by hand, without PyAV."""
