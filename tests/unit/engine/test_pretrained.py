"""ImageNet weights of an encoder where there is no network: at once, with what to do."""

import socket
import threading
from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

from inspyrenet.engine import build
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.system.network import no_route

LIGHT = "Model: {name: InSPyReNet_Light, depth: 16, base_size: [64, 64], pretrained: true}\n"


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    """No server answers, and nothing is in the cache; the list of who was asked for."""
    asked = []

    def refuse(address, *_rest, **_options):
        asked.append(address)
        raise OSError(101, "Network is unreachable")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: refuse(address))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return asked


def config(text: str):
    Path("my.yaml").write_text(text)
    return load_config("my.yaml")[0]


def test_without_a_network_one_line_names_both_remedies(offline):
    with pytest.raises(build.PretrainedError) as caught:
        build.network(config(LIGHT))
    text = str(caught.value)
    assert "\n" not in text and "huggingface.co: Network is unreachable" in text
    assert "Model.pretrained=false" in text and "Model.pretrained=FILE" in text
    assert len(offline) == 1  # no retries
    assert not huggingface_hub.constants.HF_HUB_OFFLINE


def test_the_published_file_of_the_encoder_is_named():
    with pytest.raises(
        build.PretrainedError, match=r"`inspyrenet d encoder-Res2Net50` with Model\.pretrained=res2net50"
    ):
        build.network(config(LIGHT.replace("Light", "Res2Net50")))


def test_weights_in_the_cache_are_used_without_a_network(tmp_path):
    timm_model = timm.create_model("mobilenetv4_conv_small")
    owner = timm_model.pretrained_cfg["hf_hub_id"].replace("/", "--")
    folder = tmp_path / "hub" / f"models--{owner}"
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0" * 40)
    state = {name: torch.full_like(value, 0.5) for name, value in timm_model.state_dict().items()}
    save_file(state, snapshot / "model.safetensors")
    assert (build.network(config(LIGHT)).backbone.net.conv_stem.weight == 0.5).all()


def test_an_encoder_without_published_weights_says_so(monkeypatch):
    monkeypatch.setattr(build, "no_route", lambda _url: None)

    create = timm.create_model

    def none_exist(*given, pretrained=False, **options):
        if not pretrained:
            return create(*given, **options)
        raise RuntimeError("No pretrained weights exist for this model. Use `pretrained=False` to create a random one.")

    monkeypatch.setattr(timm, "create_model", none_exist)
    with pytest.raises(build.PretrainedError, match=r"No pretrained weights exist.*Model\.pretrained=false"):
        build.network(config(LIGHT))


def test_our_own_errors_stay_what_they_are():
    with pytest.raises(ValueError, match="no encoder called"):
        build.network(config(LIGHT.replace("depth", "encoder: no_such_encoder, depth")))


def test_the_proxy_is_asked_where_there_is_one(offline, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert no_route("https://huggingface.co") == "proxy.example: Network is unreachable"
    assert offline == [("proxy.example", 3128)]
    monkeypatch.setenv("NO_PROXY", "huggingface.co")
    assert no_route("https://huggingface.co").startswith("huggingface.co: ")


def test_a_server_that_answers_is_reached(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_given: socket.socket())
    assert no_route("https://huggingface.co") is None


def test_a_name_that_nobody_resolves_does_not_take_longer_than_its_patience(monkeypatch):
    never = threading.Event()

    def waits(*_given):
        never.wait()
        raise OSError

    monkeypatch.setattr(socket, "create_connection", waits)
    assert no_route("https://huggingface.co", patience=0.05) == "huggingface.co: no answer within 0.05 s"
    never.set()
