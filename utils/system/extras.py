"""Packages that only some commands need: which extra of pyproject.toml brings them, and how it is installed."""

import contextlib
from collections.abc import Iterator

MODULES = {  # extra → modules of the packages that it brings; a module of several extras stands with the first one
    "train": (
        "torch", "torchvision", "timm", "cv2", "py_sod_metrics", "pydantic", "safetensors", "tensorboard", "matplotlib",
        "skimage",
    ),
    "hub": ("huggingface_hub",),
    "openvino": ("openvino",),
    "matting": ("pymatting",),
    "parquet": ("pyarrow",),
    "video": ("av",),
    "serve": ("fastapi", "starlette", "uvicorn", "h11", "python_multipart"),
    "web": ("gradio",),
    "export": ("onnx", "onnx_ir", "onnxscript"),
    "cluster": ("ray",),
    "cloud": ("fsspec", "s3fs"),
}  # fmt: skip


class ExtraMissing(ImportError):
    """A package of an extra is not installed; the message says how to get it."""


def how_to_install(extra: str) -> str:
    """The command that adds an extra of pyproject.toml. The program is on no package index, so a name alone is not enough."""
    return f"./install.sh --extras {extra} in the clone, or pip install '.[{extra}]' there"


@contextlib.contextmanager
def extras_named() -> Iterator[None]:
    """Raises ExtraMissing in place of the error that a package of an extra is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = next((extra for extra, modules in MODULES.items() if package in modules), None)
        if extra is None:
            raise
        message = f"this needs the package {package} of the extra {extra}: {how_to_install(extra)}"
        raise ExtraMissing(message, name=package) from error
