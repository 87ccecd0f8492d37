"""A store of objects on this machine that speaks S3, for tests."""

import contextlib
import io
from collections.abc import Iterator

import boto3
import numpy as np
from moto.server import ThreadedMotoServer
from PIL import Image

BUCKET, SECRET = "photos", "a-secret-that-nobody-may-read"


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The server's address."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def environment(address: str) -> dict[str, str]:
    """What leads every tool for S3 there."""
    keys = {"AWS_ACCESS_KEY_ID": "a-key", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
    return keys | {"AWS_ENDPOINT_URL": address, "AWS_EC2_METADATA_DISABLED": "true"}


def client():
    """Plain boto3, so that tests do not look through the code that they test."""
    return boto3.client("s3")


def names(prefix: str = "") -> list[str]:
    found = client().list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return [entry["Key"] for entry in found.get("Contents", ())]


def put(key: str, data: bytes) -> None:
    client().put_object(Bucket=BUCKET, Key=key, Body=data)


def get(key: str) -> bytes:
    return client().get_object(Bucket=BUCKET, Key=key)["Body"].read()


def picture(value: int, width: int = 12) -> bytes:
    """A PNG of one color."""
    file = io.BytesIO()
    Image.fromarray(np.full((8, width, 3), value, np.uint8)).save(file, "PNG")
    return file.getvalue()
