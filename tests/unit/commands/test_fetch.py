"""inspyrenet d: what Ctrl-C ends, and what a narrow encoding leaves of a table."""

import io
import sys

import pytest

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


@pytest.mark.parametrize("intermixed", [False, True])
def test_what_the_encoding_of_stdout_lacks_ends_no_command(intermixed, monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", narrow)
    parse = Parser().parse_intermixed_args if intermixed else Parser().parse_args
    parse([])
    print("→ cut")
    narrow.flush()
    assert narrow.buffer.getvalue().strip() == rb"\u2192 cut"
