"""Published BiRefNet weights know the config and the size that they were trained at, under every name of the file."""

import pytest

from inspyrenet.commands import fetch
from inspyrenet.data.hub import registry
from inspyrenet.engine.presets import resolve_model
from inspyrenet.lib.checkpoints.birefnet import REGISTRY, REPOSITORIES, tile_order
from inspyrenet.networks.torch_network import preprocessing
from inspyrenet.utils.config.load import load_config

ENTRIES = [entry for entry in registry.load("weights").values() if entry.name.startswith("BiRefNet")]
SIZES = {
    "BiRefNet_512x512": (512, 512),
    "BiRefNet_lite-2K": (1440, 2560),
    "BiRefNet_HR": (2048, 2048),
    "BiRefNet_HR-matting": (2048, 2048),
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("INSPYRENET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_all_of_them():
    assert len(ENTRIES) == 15


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_file_has_a_config_a_size_and_an_order_of_tiles(home, entry):
    place = registry.place_of(entry)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    spec = resolve_model(entry.name)
    assert spec.weights == place
    assert spec.config.Model.name == ("BiRefNet_SwinT" if "lite" in entry.name else "BiRefNet_SwinL")
    size = SIZES.get(entry.name, (1024, 1024))
    assert spec.config.Model.base_size == size
    sizing = preprocessing(spec, None)
    dynamic = "dynamic" in entry.name
    assert (sizing.sizing, sizing.size) == (("dynamic", 2304) if dynamic else ("static", size))
    assert sizing.backend == ("pillow" if dynamic else "opencv") and sizing.base_size is None
    assert preprocessing(spec, "static").size == size
    order = tile_order(place)[1]
    for name in (entry.file, *entry.aliases):
        assert registry.weights_of_file(name) is entry and tile_order(name)[1] == order
        (home / name).write_bytes(b"weights")
        assert resolve_model(home / name).config == spec.config


def test_all_orders_that_the_loader_knows_belong_to_a_published_file():
    known = {name.rsplit(".", 1)[0] for entry in ENTRIES for name in (entry.file, *entry.aliases)}
    assert {*REGISTRY, *REPOSITORIES} - known == {"BiRefNet-ep480", "BiRefNet-DIS_ep580", "BiRefNet_T", "RMBG-2.0"}


def test_own_words_replace_a_files_settings(home):
    (home / "BiRefNet_512x512.safetensors").write_bytes(b"weights")
    config = resolve_model("BiRefNet_512x512.safetensors", overrides=["Model.base_size=[640,640]"]).config
    assert config.Model.base_size == (640, 640)
    assert config.Test.Dataset.transforms.static_resize.size == (512, 512)


def test_every_config_in_the_registry_exists_and_takes_its_settings():
    for entry in registry.load("weights").values():
        if entry.config:
            assert load_config(entry.config, entry.settings)


def test_lists_name_the_config(capsys):
    assert fetch.list_models([]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "BiRefNet_SwinL_HR" in rows["BiRefNet_HR"] and "config" in rows["name"]


def test_what_was_fetched_is_followed_by_its_config(home, capsys):
    source = home / "BiRefNet_512x512.safetensors"
    source.write_bytes(len(b"{}").to_bytes(8, "little") + b"{}")
    assert fetch.main(["BiRefNet_512x512", "--from", str(source)]) == 0
    assert "--config BiRefNet_SwinL Model.base_size=[512,512]" in capsys.readouterr().err
