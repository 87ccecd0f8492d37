"""Where an estimate lies: beside its weights, however these are named."""

from pathlib import Path

import pytest

from inspyrenet.quality.estimate import file_of


@pytest.mark.parametrize("name", [".", "../net", "net/"])
def test_of_a_folder_it_lies_beside_it(tmp_path, monkeypatch, name):
    (tmp_path / "net").mkdir()
    monkeypatch.chdir(tmp_path if name == "net/" else tmp_path / "net")
    assert file_of(Path(name)).resolve() == tmp_path / "net.quality.json"
