"""The folder of run/Export.py --web in a real browser. It needs npm's onnxruntime-web in a node_modules beside or above."""

import pytest
from PIL import Image

from inspyrenet.web_page.export import export_web
from tests.browser import Browser
from tests.integration.web_page.static_host import painted, serving, wait_until_ready


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return export_web(tmp_path_factory.mktemp("web")).folder


@pytest.fixture(scope="module")
def host(folder):
    with serving(folder) as server:
        yield server


@pytest.fixture(scope="module")
def browser(host, tmp_path_factory):
    """After its first visit."""
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.open(host.address)
        wait_until_ready(browser)
        yield browser


@pytest.fixture(scope="session")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "my photo.png"
    Image.fromarray(painted(2, 300, 400)).save(path)
    return path
