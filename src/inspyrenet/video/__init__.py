"""Moving pictures: files and cameras in, H.264, VP9 with transparency or ProRes out. Needs the extra `video` (PyAV).

Importing this package is cheap; PyAV is loaded when a video is opened.
"""
