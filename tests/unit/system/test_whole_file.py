"""Files of both layers are whole or not there."""

import pytest

from inspyrenet.data import whole_file as of_data
from inspyrenet.utils.system import whole_file as of_utils

BOTH = pytest.mark.parametrize("whole_file", [of_data.whole_file, of_utils.whole_file], ids=["data", "utils"])


@BOTH
def test_the_file_takes_its_name_at_the_end(tmp_path, whole_file):
    path = tmp_path / "deep" / "er" / "a.png"
    with whole_file(path) as partial:
        assert partial.parent == path.parent and partial.suffix == ".png" and partial.name.startswith(".")
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new" and list(path.parent.iterdir()) == [path]


@BOTH
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_the_older_file_alone(tmp_path, whole_file, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), whole_file(path) as partial:
        partial.write_text("half")
        raise error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
