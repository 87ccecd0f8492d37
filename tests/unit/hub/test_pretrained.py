"""Models of the Hugging Face Hub, against a stand-in on this machine: fetched, cached, published, refused."""

import sys

import huggingface_hub
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from inspyrenet import Remover, from_pretrained
from inspyrenet.commands.cut_out import main as cut_out
from inspyrenet.data.hub import registry
from inspyrenet.data.hub.download import fetch_published
from inspyrenet.data.hub.huggingface import HubError, HubModel, hub_model, in_cache
from inspyrenet.engine.build import MissingSection
from inspyrenet.engine.presets import MissingWeights, resolve_model, weights_at
from inspyrenet.hub.pretrained import save_pretrained, shared_config
from inspyrenet.networks.network import RemoverError
from inspyrenet.utils.config.load import ConfigError, load_config
from inspyrenet.utils.system.extras import ExtraMissing
from tests.hub_server import TOKEN, stand_in_hub
from tests.tiny_network import DYNAMIC, STATIC, picture, tiny_state, write_tiny


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache, a token, and no proxy."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("INSPYRENET_HOME", str(tmp_path / "own"))
    constants = huggingface_hub.constants  # it read the environment when it was imported
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def hub(home, monkeypatch):
    with stand_in_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def published(hub, home, repository="ann/tiny", revision="main"):
    """A repository with the tiny network, and with files that must not come along."""
    config, weights = write_tiny(home / "made")
    files = {"config.yaml": config.read_bytes(), "model.safetensors": weights.read_bytes(), "pytorch_model.bin": b"\x80",
             "net.py": b"raise SystemExit"}  # fmt: skip
    hub.repositories.setdefault(repository, {})[revision] = files
    return files


def in_hub_cache(home, repository, file="model.safetensors"):
    """As another program would have left it there."""
    folder = home / "hf" / "hub" / f"models--{repository.replace('/', '--')}"
    place = folder / "snapshots" / "c0ffee" / file
    place.parent.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("c0ffee")
    place.write_bytes(b"weights")
    return place


# -- names --------------------------------------------------------------------------------------------------------


def test_names():
    assert hub_model("hf:ann/tiny") == HubModel("ann/tiny", "main")
    assert hub_model("hf:ann/tiny-1.0@refs/pr/3") == HubModel("ann/tiny-1.0", "refs/pr/3")
    assert hub_model("fast") is None and hub_model("photos/hf:a") is None
    for wrong in ("hf:tiny", "hf:a/b/c", "hf:ann/tiny@", "hf:../x", "hf:ann/.."):
        with pytest.raises(HubError, match="write hf:owner/name"):
            hub_model(wrong)


# -- fetching -----------------------------------------------------------------------------------------------------


def test_a_model_is_fetched_by_name_and_nothing_else_of_its_repository(hub, home):
    published(hub, home)
    remover = Remover("hf:ann/tiny", device="cpu")
    local = Remover(home / "made" / "tiny.yaml", ckpt=home / "made" / "tiny.safetensors", device="cpu")
    assert remover.name == "tiny"
    assert np.array_equal(remover.saliency(picture()), local.saliency(picture()))
    assert sorted(path.name for path in remover.network.weights.parent.iterdir()) == [
        "config.yaml",
        "model.safetensors",
    ]
    asked = {path.rpartition("/")[2] for _, path in hub.requests if "/resolve/" in path}
    assert asked == {"config.yaml", "model.safetensors"}


def test_a_revision_is_that_revision(hub, home):
    published(hub, home)
    files = published(hub, home, revision="v2")
    files["config.yaml"] = files["config.yaml"].replace(b"[64, 64]", b"[96, 96]", 1)
    assert resolve_model("hf:ann/tiny").config.Model.base_size == (64, 64)
    assert resolve_model("hf:ann/tiny@v2").config.Model.base_size == (96, 96)
    assert resolve_model(ckpt="hf:ann/tiny@v2").config.Model.base_size == (96, 96)


def test_its_weights_for_a_config_of_ones_own_and_the_other_way_round(hub, home):
    published(hub, home)
    own = home / "made" / "tiny.yaml"
    spec = resolve_model(own, "hf:ann/tiny", ["Model.alignment=corrected"])
    assert (spec.name, spec.weights.name, spec.config.Model.alignment) == ("tiny", "model.safetensors", "corrected")
    spec = resolve_model("hf:ann/tiny", home / "made" / "tiny.safetensors")
    assert spec.weights == home / "made" / "tiny.safetensors"
    assert weights_at("hf:ann/tiny").is_file()  # as Train.FineTune.weights is read
    with pytest.raises(MissingWeights, match="no such weights"):
        resolve_model("hf:ann/tiny", "none.pth")


def test_the_command_line_takes_it(hub, home):
    from PIL import Image

    published(hub, home)
    Image.fromarray(picture()).save(home / "photo.png")
    assert cut_out(["-s", "photo.png", "-m", "hf:ann/tiny", "--device", "cpu", "-o", "a.png"]) == 0
    assert cut_out(["-s", "photo.png", "--ckpt", "hf:ann/tiny", "--device", "cpu", "-o", "b.png"]) == 0
    assert (home / "a.png").read_bytes() == (home / "b.png").read_bytes()


def test_what_was_fetched_is_used_without_a_network(hub, home, monkeypatch):
    published(hub, home)
    first = resolve_model("hf:ann/tiny")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # where nothing listens
    assert resolve_model("hf:ann/tiny").weights == first.weights
    with pytest.raises(HubError, match=r"hf:ann/other: .*cannot be fetched: there is no way to the Hub"):
        resolve_model("hf:ann/other")


def test_a_repository_without_a_config_is_told_by_what_is_published(hub, home):
    """Or by its weights."""
    files = published(hub, home, "ZhengPeng7/BiRefNet_512x512")
    del files["config.yaml"]
    config = resolve_model("hf:ZhengPeng7/BiRefNet_512x512").config
    assert (config.Model.name, config.Model.base_size) == ("BiRefNet_SwinL", (512, 512))


def test_a_config_of_the_hub_runs_no_code(hub, home):
    (home / "mine.py").write_text("raise SystemExit('imported')")
    files = published(hub, home)
    files["config.yaml"] = files["config.yaml"].replace(b"name: InSPyReNet_Light", b"name: mine:Net")
    with pytest.raises(ConfigError, match="mine:Net is code that is not imported"):
        resolve_model("hf:ann/tiny")
    assert "mine" not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf:ann/none", r"hf:ann/none: there is no such repository, or it is private: sign in"),
        ("hf:ann/tiny@none", r"hf:ann/tiny@none: ann/tiny has no revision none"),
        ("hf:ann/pickled", r"hf:ann/pickled has no file model.safetensors; .* may run code"),
    ],
)
def test_what_cannot_be_had_is_told_in_one_line(hub, home, name, message):
    published(hub, home)
    hub.repositories["ann/pickled"] = {"main": {"pytorch_model.bin": b"\x80"}}
    with pytest.raises(HubError, match=message) as caught:
        resolve_model(name)
    assert "\n" not in str(caught.value)


def test_without_the_package_the_extra_is_named(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ExtraMissing, match=r"huggingface_hub of the extra hub: \./install\.sh --extras hub"):
        resolve_model("hf:ann/tiny")


# -- the cache ----------------------------------------------------------------------------------------------------


def test_published_files_are_found_in_the_cache_of_the_hub(home):
    entry = registry.load("weights")["BiRefNet_lite"]
    assert not registry.is_present(entry)
    place = in_hub_cache(home, "ZhengPeng7/BiRefNet_lite")
    assert registry.found_at(entry) == place == resolve_model("BiRefNet_lite").weights
    said = []
    assert fetch_published(entry, say=said.append) == place and "already there" in said[0]
    assert registry.found_at(entry, home / "elsewhere") is None
    own = registry.place_of(entry)
    own.parent.mkdir(parents=True)
    own.write_bytes(b"weights")
    assert registry.found_at(entry) == own


def test_the_cache_is_where_the_environment_says(home, monkeypatch):
    place = in_hub_cache(home, "ann/tiny")
    assert in_cache(HubModel("ann/tiny"), "model.safetensors") == place
    assert in_cache(HubModel("ann/tiny", "c0ffee"), "model.safetensors") == place
    assert in_cache(HubModel("ann/tiny", "v2"), "model.safetensors") is None
    monkeypatch.setenv("HF_HUB_CACHE", str(home / "other"))
    assert in_cache(HubModel("ann/tiny"), "model.safetensors") is None


# -- saving and publishing ----------------------------------------------------------------------------------------


def test_a_saved_folder_is_loaded_alike(home):
    config, weights = write_tiny(home / "made")
    remover = Remover(config, ckpt=weights, device="cpu")
    folder = remover.save_pretrained("saved")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.yaml", "model.safetensors"]
    again = Remover.from_pretrained(folder, device="cpu")
    assert np.array_equal(again.saliency(picture()), remover.saliency(picture()))
    net = from_pretrained(folder)
    assert not net.training and all(torch.equal(value, tiny_state()[name]) for name, value in net.state_dict().items())


def test_a_card_that_was_edited_stays(home):
    config, weights = write_tiny(home / "made")
    remover = Remover(config, ckpt=weights, device="cpu")
    card = remover.save_pretrained("saved") / "README.md"
    card.write_text("mine")
    remover.save_pretrained("saved")
    assert card.read_text() == "mine"


@pytest.mark.parametrize(
    ("transforms", "words"),
    [
        (DYNAMIC, {"resize": "static"}),
        (STATIC, {"resize": "dynamic"}),
        (DYNAMIC.replace("160", "160, backend: opencv"), {"resize": "static", "precision": "bfloat16"}),
        (DYNAMIC, {"resize": "dynamic"}),
    ],
)
def test_a_saved_folder_prepares_images_as_the_remover_did(home, transforms, words):
    config, weights = write_tiny(home / "made", transforms=transforms, threshold=64)
    remover = Remover(config, ckpt=weights, device="cpu", **words)
    again = Remover(remover.save_pretrained("saved"), device="cpu")
    image = picture(200, 260)
    assert np.array_equal(again.saliency(image), remover.saliency(image))


def test_what_a_saved_folder_cannot_keep_is_refused(home):
    config, weights = write_tiny(home / "made")
    with pytest.raises(RemoverError, match="does not keep patch merging"):
        Remover(config, ckpt=weights, device="cpu", patch_merging=True).save_pretrained("saved")
    config.write_text(config.read_text().partition("Test:")[0])
    with pytest.raises(MissingSection, match="no section Test"):
        Remover(config, ckpt=weights, device="cpu", resize="dynamic").save_pretrained("saved")
    Remover(config, ckpt=weights, device="cpu", resize="static").save_pretrained("saved")


def test_the_saved_config_names_no_place_of_this_machine(home):
    config, weights = write_tiny(home / "made")
    config.write_text(config.read_text().replace("root: data/Test_Dataset", f"root: {home}/secret/Test_Dataset"))
    save_pretrained(resolve_model(config, weights), "saved")
    text = (home / "saved" / "config.yaml").read_text()
    assert str(home) not in text and yaml.safe_load(text)["Test"]["Dataset"]["root"] == "Test_Dataset"
    own, saved = load_config(config)[0], load_config("saved/config.yaml")[0]
    assert (saved.Model, saved.Test.Dataset.transforms) == (own.Model, own.Test.Dataset.transforms)


def test_code_of_ones_own_is_not_published(home):
    config = load_config("Quickstart")[0]
    train = config.Train.model_copy(update={"Loss": "mine:focal"})
    assert shared_config(config.model_copy(update={"Train": train})).Train is None
    assert shared_config(config).Train.Loss == config.Train.Loss
    model = config.Model.model_copy(update={"name": "mine:Net"})
    with pytest.raises(HubError, match=r"Model.name: mine:Net is code of your own"):
        shared_config(config.model_copy(update={"Model": model}))


def test_the_tracker_is_not_published(home):
    words = ["Train.Tracker=mlflow", "Train.TrackerArguments={tracking_uri: /home/me/runs}"]
    train = shared_config(load_config("Quickstart", words)[0]).Train
    assert (train.Tracker, train.TrackerArguments) == (None, {})


def test_a_network_that_parses_scenes_is_not_published(home):
    with pytest.raises(HubError, match="PSPNet_scenes: parses scenes"):
        shared_config(load_config("PSPNet_scenes")[0])


def test_a_published_model_is_had_by_name(hub, home):
    config, weights = write_tiny(home / "made")
    scores = home / "results" / "tiny" / "scores.md"
    scores.parent.mkdir(parents=True)
    scores.write_text("| method | data set | images | mae ↓ |\n|---|---|---:|---:|\n| tiny | ECSSD | 9 | 0.1234 |\n")
    weights = weights.rename(snapshot(home) / weights.name)
    remover = Remover(config, ckpt=weights, device="cpu")
    assert remover.push_to_hub("ann/shared") == f"{hub.url}/ann/shared"
    files = hub.repositories["ann/shared"]["main"]
    assert sorted(files) == [".gitattributes", "README.md", "config.yaml", "model.safetensors"]
    card = files["README.md"].decode()
    front, _, text = card.removeprefix("---\n").partition("---\n")
    assert yaml.safe_load(front)["pipeline_tag"] == "image-segmentation" and "license" not in yaml.safe_load(front)
    for part in ("InSPyReNet_Light on the encoder mobilenetv4_conv_small", "64×64", "| tiny | ECSSD | 9 | 0.1234 |",
                 'Remover("hf:ann/shared")'):  # fmt: skip
        assert part in text
    again = Remover("hf:ann/shared", device="cpu")
    assert np.array_equal(again.saliency(picture()), remover.saliency(picture()))


def snapshot(home):
    """The folder that the scores in results/tiny are of."""
    folder = home / "snapshots" / "tiny"
    folder.mkdir(parents=True)
    return folder


def test_a_card_has_no_scores_of_other_weights(home):
    config, weights = write_tiny(home / "made")
    scores = home / "results" / "tiny" / "scores.md"
    scores.parent.mkdir(parents=True)
    scores.write_text("| tiny | ECSSD | 9 | 0.1234 |\n")
    snapshot(home)
    assert "0.1234" not in (save_pretrained(resolve_model(config, weights), "other") / "README.md").read_text()
    weights = weights.rename(home / "snapshots" / "tiny" / weights.name)
    assert "0.1234" in (save_pretrained(resolve_model(config, weights), "own") / "README.md").read_text()


def test_a_card_that_is_there_stays(hub, home):
    config, weights = write_tiny(home / "made")
    hub.repositories["ann/shared"] = {"main": {"README.md": b"my words"}}
    remover = Remover(config, ckpt=weights, device="cpu")
    remover.push_to_hub("ann/shared")
    assert hub.repositories["ann/shared"]["main"]["README.md"] == b"my words"
    assert "model.safetensors" in hub.repositories["ann/shared"]["main"]


def test_publishing_without_a_token_says_so(hub, home, monkeypatch):
    config, weights = write_tiny(home / "made")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HubError, match="hf:ann/shared: sign in with `hf auth login`, or set HF_TOKEN"):
        Remover(config, ckpt=weights, device="cpu").push_to_hub("ann/shared")


def test_the_card_of_a_run_says_how_it_was_trained(home):
    from inspyrenet.engine.presets import ModelSpec
    from inspyrenet.hub.card import model_card

    config = load_config("InSPyReNet_SwinB_DIS5K")[0]
    save_file({"a": torch.zeros(1)}, home / "a.safetensors")
    spec = ModelSpec(config.name, config, home / "a.safetensors")  # named as published weights are, and trained here
    card = model_card(spec, torch.nn.Linear(1000, 1000))
    assert "Trained on DIS-TR for 60 epochs with Adam" in card and "research use (Qin et al., ECCV 2022)" in card
    assert "1.0 million parameters" in card and "## Scores" not in card
    place = in_hub_cache(home, "ZhengPeng7/BiRefNet_lite")
    assert "MIT (BiRefNet)" in model_card(ModelSpec("BiRefNet_lite", config, place), torch.nn.Linear(1, 1))
