"""What happens before a server serves: its limits, its models and their names, its address."""

import socket
from types import SimpleNamespace

import pytest

from inspyrenet.commands import cut_out
from inspyrenet.demo import command as demo
from inspyrenet.serve import server
from inspyrenet.serve.settings import build_parser, read_limits


@pytest.fixture
def networks(monkeypatch):
    """The network's own name by the mode that is loaded, and what was made warm."""
    names, warmed = {}, []

    def load(options, mode):
        return SimpleNamespace(name=names[mode], describe=lambda: f"{names[mode]} on cpu", mode=mode)

    monkeypatch.setattr(cut_out, "load", load)
    monkeypatch.setattr(server, "warm", lambda remover: warmed.append(remover.mode))
    return names, warmed


@pytest.mark.parametrize(
    ("own", "called"),
    [
        ({None: "Bundled"}, ["Bundled"]),
        ({"fast": "fast", "runs/a/latest.pth": "A"}, ["fast", "A"]),
        ({"a/model.pth": "A", "fast": "fast", "b/model.pth": "A"}, ["a/model.pth", "fast", "b/model.pth"]),
    ],
)
def test_every_model_is_served_by_a_name_of_its_own(networks, capsys, own, called):
    names, warmed = networks
    names.update(own)
    loaded = server.load_all(SimpleNamespace(modes=None if None in own else list(own)))
    assert [*loaded] == called and [remover.mode for remover in loaded.values()] == warmed == [*own]
    said = capsys.readouterr().err
    assert all(f"?mode={name}: {network} on cpu\n" in said for name, network in zip(called, own.values(), strict=True))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--max-megapixels", "111"], "--max-megapixels: a number above 0 and up to 110 is wanted, not '111'"),
        (["--max-megapixels", "nan"], "up to 110 is wanted, not 'nan'"),
        (["--max-megapixels", "0"], "up to 110 is wanted, not '0'"),
        (["--max-mb", "inf"], "--max-mb: a number above 0"),
    ],
)
def test_limits_of_the_server_and_of_the_page_are_bounded(capsys, words, said):
    for build in (build_parser, demo.build_parser):
        with pytest.raises(SystemExit):
            build().parse_args(words)
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--timeout", "nan"], "--timeout: a number above 0"),
        (["--batch", "0"], "--queue and --batch are greater than 0"),
        (["-m", "fast", "-m", "base", "-m", "fast"], "-m fast is given twice"),
    ],
)
def test_a_wrong_limit_is_told(capsys, words, said):
    parser = build_parser()
    with pytest.raises(SystemExit):
        read_limits(parser, parser.parse_args(words))
    assert said in capsys.readouterr().err


def test_the_largest_image_that_may_be_allowed():
    parser = build_parser()
    assert read_limits(parser, parser.parse_args(["--max-megapixels", "110"])).pixels == 110_000_000


@pytest.mark.parametrize(("system", "reused"), [("posix", True), ("nt", False)])
def test_only_where_it_is_safe_a_port_is_taken_again_at_once(monkeypatch, system, reused):
    monkeypatch.setattr(server, "os", SimpleNamespace(name=system))
    with server.listen("127.0.0.1", 0) as listener:
        assert bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)) == reused


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_port_that_there_is_not_is_told(port):
    with pytest.raises(server.AddressError, match=f"port {port}: choose a --port of 0 to 65535"):
        server.listen("127.0.0.1", port)
