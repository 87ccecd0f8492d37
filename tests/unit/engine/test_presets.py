"""What a mode, a config or a checkpoint stands for, and what is said where the weights are absent."""

import json
from pathlib import Path

import pytest
import torch

from inspyrenet.data.hub import registry
from inspyrenet.engine import presets
from inspyrenet.engine.presets import MissingWeights, ModeError, ModelSpec, resolve_model
from inspyrenet.networks.torch_network import preprocessing
from inspyrenet.utils.config.load import ConfigError, load_config
from tests.tiny_network import DYNAMIC, STATIC, write_tiny

KEYS = Path(__file__).parents[2] / "golden" / "keys"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty cache folder, no bundled model, an empty current folder."""
    monkeypatch.setenv("INSPYRENET_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(presets, "BUNDLED_WEIGHTS", tmp_path / "bundled" / "default.safetensors")
    monkeypatch.setattr(presets, "BUNDLED_CONFIG", tmp_path / "bundled" / "default.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fetched(name):
    """Pretend that published weights were fetched."""
    place = registry.place_of(registry.find(name)[0])
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"weights")
    return place


# -- the bundled model --------------------------------------------------------------------------------------------


def test_without_a_bundled_model_the_command_is_named(home):
    with pytest.raises(MissingWeights, match=r"no model came with this installation.*inspyrenet d fast"):
        resolve_model()


def test_the_bundled_model_is_the_default(home):
    config, weights = write_tiny(home / "bundled", "default")
    spec = resolve_model()
    assert (spec.name, spec.weights) == ("default", weights) and spec.config.Model.depth == 16
    assert resolve_model(overrides=["Model.alignment=corrected"]).config.Model.alignment == "corrected"
    assert config.is_file()


# -- modes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", presets.MODES)
def test_a_mode_without_weights_names_the_command_and_nothing_is_fetched(home, mode, monkeypatch):
    monkeypatch.setattr(
        "urllib.request.OpenerDirector.open", lambda *args, **options: pytest.fail("went to the network")
    )
    with pytest.raises(MissingWeights, match=rf"inspyrenet d {mode}`"):
        resolve_model(mode)


@pytest.mark.parametrize(
    ("mode", "side", "threshold"), [("fast", 384, 512), ("base", 1024, None), ("base-nightly", 1024, None)]
)
def test_a_mode_is_a_network_and_a_size(home, mode, side, threshold):
    place = fetched(mode)
    spec = resolve_model(mode)
    assert spec.weights == place and spec.config.Model.name == "InSPyReNet_SwinB"
    assert spec.config.Model.base_size == (side, side) and spec.config.Model.threshold == threshold


def test_own_weights_replace_a_modes(home):
    (home / "mine.pth").write_bytes(b"weights")
    assert resolve_model("fast", home / "mine.pth").weights == home / "mine.pth"
    with pytest.raises(MissingWeights, match=r"no such weights: no\.pth"):
        resolve_model("fast", "no.pth")


@pytest.mark.parametrize(
    ("word", "message"), [("fst", "did you mean fast?"), ("InSPyReNet_SwinC", "did you mean InSPyReNet_Swin")]
)
def test_an_unknown_mode_is_told_with_a_near_one(word, message):
    with pytest.raises(ModeError, match=message.replace("?", r"\?")):
        resolve_model(word)


# -- configs ------------------------------------------------------------------------------------------------------


def test_a_config_without_weights_says_how_to_get_them(home):
    with pytest.raises(
        MissingWeights, match=r"run/Train\.py --config InSPyReNet_SwinB_DHU_LR.*inspyrenet d InSPyReNet_SwinB_DHU_LR"
    ):
        resolve_model("InSPyReNet_SwinB_DHU_LR")


def test_a_config_finds_published_weights_of_its_name(home):
    place = fetched("InSPyReNet_SwinB_DHU_LR")
    assert resolve_model("InSPyReNet_SwinB_DHU_LR").weights == place


def test_a_config_prefers_what_was_trained_here(home):
    config, weights = write_tiny(home / "mine")
    (home / "snapshots" / "tiny").mkdir(parents=True)
    (home / "snapshots" / "tiny" / "best.pth").write_bytes(b"weights")
    assert resolve_model(config).weights == Path("snapshots/tiny")
    assert resolve_model(config, weights).weights == weights
    assert resolve_model(config, overrides=[f"Test.Checkpoint.checkpoint_dir={weights}"]).weights == weights


def test_what_is_wrong_with_a_config_is_told(home):
    (home / "bad.yaml").write_text("Model:\n  nam: InSPyReNet_SwinB\n")
    with pytest.raises(ConfigError, match=r"bad\.yaml:2: Model\.nam: unknown; did you mean name"):
        resolve_model("bad.yaml")
    with pytest.raises(ModeError, match=r"bda\.yaml: no such file; did you mean bad\.yaml\?"):
        resolve_model("bda.yaml")


def test_a_config_without_a_network_is_refused(home):
    (home / "score.yaml").write_text("Eval:\n  gt_root: data\n")
    with pytest.raises(ModeError, match="no section Model"):
        resolve_model("score.yaml")


def test_a_grid_is_refused(home):
    with pytest.raises(ModeError, match="one config is needed"):
        resolve_model("InSPyReNet_SwinB", overrides=["Model.depth=32,64"])


# -- checkpoints --------------------------------------------------------------------------------------------------


def drawn_state(network):
    """Names and shapes of a published checkpoint, without values."""
    shapes = json.loads((KEYS / f"inspyrenet_{network}_keys.json").read_text())
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


@pytest.mark.parametrize("as_mode", [True, False])
@pytest.mark.parametrize(("network", "config"), [("swinb", "InSPyReNet_SwinB"), ("res2net50", "InSPyReNet_Res2Net50")])
def test_a_checkpoint_is_recognized_by_what_is_in_it(home, monkeypatch, network, config, as_mode):
    (home / "some.pth").write_bytes(b"weights")
    monkeypatch.setattr("inspyrenet.utils.train.checkpoint.read_weights", lambda path: drawn_state(network))
    spec = resolve_model("some.pth") if as_mode else resolve_model(ckpt="some.pth")
    assert spec.config.Model.name == config and spec.weights == Path("some.pth")


def test_a_checkpoint_of_no_known_network_asks_for_the_config(home, monkeypatch):
    (home / "some.pth").write_bytes(b"weights")
    monkeypatch.setattr("inspyrenet.utils.train.checkpoint.read_weights", lambda path: {"layer.weight": torch.zeros(1)})
    with pytest.raises(ModeError, match=r"no network known here.*which config"):
        resolve_model("some.pth")


def test_a_run_folder_brings_its_own_config(home):
    config, _ = write_tiny(home / "run")
    config.rename(home / "run" / "config.yaml")
    (home / "run" / "best.pth").write_bytes(b"weights")
    for given in ("run", "run/best.pth"):
        spec = resolve_model(given)
        assert spec.config.Model.depth == 16 and spec.weights == Path(given)


def test_a_checkpoint_that_is_not_there_is_told(home):
    with pytest.raises(MissingWeights, match=r"no such weights: none\.pth"):
        resolve_model("none.pth")


# -- sizes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transforms", "threshold", "resize", "expected"),
    [
        (None, None, "static", ("static", (64, 64), None)),
        (None, 100, "dynamic", ("dynamic", 1280, (64, 64))),
        (None, 100, "static", ("static", (64, 64), (64, 64))),
        (DYNAMIC, 100, None, ("dynamic", 160, (64, 64))),
        (DYNAMIC, None, "dynamic", ("dynamic", 160, None)),
        (DYNAMIC, 100, "static", ("static", (64, 64), None)),
    ],
)
def test_sizing_follows_the_word_then_the_config(home, transforms, threshold, resize, expected):
    path, weights = write_tiny(home, transforms=transforms or STATIC, threshold=threshold)
    sizing = preprocessing(ModelSpec("tiny", load_config(path)[0], weights), resize)
    assert (sizing.sizing, sizing.size, sizing.base_size) == expected
