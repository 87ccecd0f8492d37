"""A folder with a photograph, for commands that start there."""

import pytest
from PIL import Image

from tests.light.running import photograph


@pytest.fixture
def folder(tmp_path):
    Image.fromarray(photograph()).save(tmp_path / "photo.png")
    return tmp_path
