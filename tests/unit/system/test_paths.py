"""~ in paths."""

from pathlib import Path

from inspyrenet.utils.system.paths import expanded


def test_homes_and_names_that_only_look_like_them(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert expanded("~/a.jpg") == expanded(Path("~/a.jpg")) == Path("/home/me/a.jpg")
    for name in ("~no-such-user.jpg", "~$report.jpg", "a~.jpg", "photos/~x.jpg"):
        assert expanded(name) == Path(name)
