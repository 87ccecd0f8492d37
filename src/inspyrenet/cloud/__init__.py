"""Objects in S3, and in stores that speak its protocol, in the place of files: s3://bucket/folder/name.

Importing this package is cheap; fsspec and s3fs (the extra `cloud`) are loaded when the first object is asked for.
"""
