"""Many images on many processes or machines: `inspyrenet batch`. Sharded, resumable, with a manifest.

Importing this package is cheap; torch is loaded by the workers, pyarrow with the manifest, Ray with its executor.
"""
