"""What can be wrong with a batch before its first image, and the places that load the packages of its extras."""

from types import ModuleType

from ..utils.system.extras import how_to_install


class BatchError(ValueError):
    """A batch that cannot be carried out, or not go on; the message says what to do."""


class BatchExtraMissing(RuntimeError):
    """A package that a batch needs is not installed; the message names the extra."""


def load_arrow() -> ModuleType:
    """pyarrow with its parquet part. Raises BatchExtraMissing."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise BatchExtraMissing(
            f"the manifest is a parquet file: {how_to_install('parquet')} (pyarrow cannot be loaded: {error})"
        ) from error
    return pyarrow


def load_ray() -> ModuleType:
    """Ray with its data part; it sends no usage statistics unless the environment asks for them. Raises BatchExtraMissing."""
    import os

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read while Ray is imported
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise BatchExtraMissing(
            f"executor ray needs the extra cluster: {how_to_install('cluster')}, or take --executor local "
            f"(Ray cannot be loaded: {error})"
        ) from error
    return ray
