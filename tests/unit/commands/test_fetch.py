"""inspyrenet d: what Ctrl-C ends, and what a narrow encoding leaves of a table."""

import io
import sys

from inspyrenet.commands import fetch
from inspyrenet.commands.parser import Parser
from inspyrenet.data.hub import download


def test_ctrl_c_ends_all_downloads_and_not_one(monkeypatch, capsys):
    asked = []

    def interrupted(entry, **_):
        asked.append(entry.name)
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "fetch_published", interrupted)
    assert fetch.main(["fast", "base"]) == 130
    assert asked == ["fast"]
    assert "interrupted; what came is kept" in capsys.readouterr().err


def test_what_the_encoding_of_stdout_lacks_ends_no_command(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", narrow)
    Parser().parse_args([])
    print("→ cut")
    narrow.flush()
    assert narrow.buffer.getvalue().strip() == b"? cut"
