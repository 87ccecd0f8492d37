"""Pictures of a network's levels and attention: what is in them, for every family, and how the command writes them."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from inspyrenet import build_model
from inspyrenet.commands.explain import main
from inspyrenet.lib.fast import inspyrenet as fast_inspyrenet
from inspyrenet.lib.inference.attention import watched
from inspyrenet.utils.report.attention import HEIGHT, Context, attention_picture
from inspyrenet.utils.report.visualize import GAP, LABEL, PAPER
from tests.tiny_network import CONFIG, STATIC, picture, tiny_state, write_tiny

TINY = {"encoder": "mobilenetv4_conv_small", "depth": 16, "base_size": (64, 64)}


def tiny(**words):
    net = build_model("InSPyReNet_Light", **TINY, **words)
    net.load_state_dict(tiny_state())
    return net.eval()


def image(height=64, width=64):
    return torch.from_numpy(picture(height, width)).permute(2, 0, 1)[None] / 255


# -- attention ----------------------------------------------------------------------------------------------------


def test_the_attention_is_that_of_the_pass():
    net = tiny()
    out, seen = watched(net, image())
    assert list(seen) == ["attention2", "attention1", "attention0"]
    for (name, one), count, side in zip(seen.items(), (3, 5, 5), (16, 32, 64), strict=True):
        assert one.contexts.shape == one.weights.shape == (1, count, side, side), name
        torch.testing.assert_close(one.weights.sum(dim=1), torch.ones(1, side, side))
    with torch.no_grad():
        expected = net.attention2.context_maps((16, 16), out.saliency[0], None)
    assert torch.equal(seen["attention2"].contexts, expected)


def test_watching_changes_nothing():
    net = tiny()
    with torch.no_grad():
        before = net(image())
    out, _ = watched(net, image())
    torch.testing.assert_close(out.logits, before.logits, atol=1e-4, rtol=1e-4)
    assert net.fast and net.attention0.fast
    assert not {"context_maps", "attention_weights"} & vars(net.attention0).keys()
    with torch.no_grad():
        assert torch.equal(net(image()).logits, before.logits)


def test_stages_that_are_not_computed_have_none():
    assert list(watched(tiny(finest_stage=1), image())[1]) == ["attention2", "attention1"]


def test_a_large_image_is_not_cut_into_tiles(monkeypatch):
    """Each tile would replace what was noted of the one before."""
    monkeypatch.setattr(fast_inspyrenet, "LARGE_IMAGE", 32 * 32)
    net = tiny()
    with torch.inference_mode():
        assert net.uses_tiles((64, 64))
    assert watched(net, image())[1]["attention0"].weights.shape[-2:] == (64, 64)


# -- the picture --------------------------------------------------------------------------------------------------


def test_contexts_stand_above_the_attention_that_they_get():
    net, photo = tiny(), picture(64, 64)
    out, _ = watched(net, image())
    left, half = np.zeros((8, 8)), np.full((8, 8), 0.5)
    left[:, :4] = 0.4
    stages = {"2": [Context("foreground", left, half), Context("background", left / 2, half / 2)]}
    drawn = attention_picture(out, photo, stages)
    step = LABEL + HEIGHT + GAP
    assert drawn.shape == (4 * step, GAP + 5 * (HEIGHT + GAP), 3)

    def tile(row, column):
        top, start = row * step + LABEL, GAP + column * (HEIGHT + GAP)
        return drawn[top : top + HEIGHT, start : start + HEIGHT]

    assert (tile(2, 0)[:, :90] == 255).all() and (tile(2, 0)[:, 110:] == 0).all()
    assert (tile(2, 1)[:, :90] == 128).all()  # half of the row's largest
    assert (tile(3, 0) == 255).all() and (tile(3, 1) == 128).all()
    assert (tile(3, 2) == PAPER).all()


def test_a_narrow_image_has_room_for_its_labels():
    out, _ = watched(tiny(), image())
    drawn = attention_picture(out, picture(90, 30), {})
    assert drawn.shape[1] >= 5 * 200


# -- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos/a.png", "photos/more/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture()).save(tmp_path / name)
    return tmp_path


def explain(*words):
    return main([*words, "--device", "cpu"])


def test_every_image_gets_its_picture(folder, capsys):
    config, weights = write_tiny(folder)
    words = ("photos", "-c", str(config), "--ckpt", str(weights))
    assert explain(*words) == 0
    said = capsys.readouterr()
    assert said.out.split() == ["explained/a.png", "explained/more/a.png"] and "note:" not in said.err
    assert Image.open("explained/a.png").height == 8 * (LABEL + HEIGHT + GAP)
    assert explain(*words) == 0
    assert "nothing to do: 2 there already (--overwrite makes them again)" in capsys.readouterr().err
    assert explain(*words, "Model.alignment=corrected", "--overwrite", "-o", "explained") == 0


def test_one_that_is_no_image_fails_alone(folder, capsys):
    config, weights = write_tiny(folder)
    (folder / "photos" / "b.png").write_bytes(b"no image")
    assert explain("photos", "-c", str(config), "--ckpt", str(weights)) == 1
    said = capsys.readouterr()
    assert "photos/b.png: failed" in said.err and said.out.split() == ["explained/a.png", "explained/more/a.png"]


@pytest.mark.parametrize("name", ["BiRefNet_Light", "PSPNet_Light"])
def test_other_networks_show_what_they_have(name, folder, capsys):
    text = CONFIG.format(name="other", side=64, threshold="null", transforms=STATIC)
    (folder / "other.yaml").write_text(text.replace("InSPyReNet_Light", name).replace("  depth: 16\n", ""))
    net = build_model(name, encoder=TINY["encoder"], base_size=(64, 64))
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, folder / "other.safetensors")
    assert explain("photos/a.png", "-c", "other.yaml", "--ckpt", "other.safetensors") == 0
    assert (
        "note: other has no context attention (SICA): the pictures show its saliency maps alone"
        in capsys.readouterr().err
    )
    assert Image.open("explained/a.png").height == 2 * (LABEL + HEIGHT + GAP)


def test_an_exported_network_is_refused(folder, capsys):
    (folder / "net.onnx").write_bytes(b"graph")
    assert explain("photos/a.png", "--ckpt", "net.onnx") == 1
    assert "net.onnx is an exported network, which shows its results alone" in capsys.readouterr().err
