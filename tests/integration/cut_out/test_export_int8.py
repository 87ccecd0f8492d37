"""run/Export.py --quantize int8 from the command line to a cut-out, and what it answers where int8 is not good enough."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from inspyrenet import Remover, build_model
from inspyrenet.commands import export as Export
from inspyrenet.int8 import export as int8
from inspyrenet.int8 import trial
from tests.thin_networks import calibrated, thin_building
from tests.tiny_network import CONFIG, STATIC, picture
from tests.unit.int8.test_int8 import Brightness, write_graph, write_set

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """The command line for a thin network with random weights."""
    folder = tmp_path_factory.mktemp("int8")
    (folder / "tiny.yaml").write_text(
        CONFIG.format(name="tiny", side=64, transforms=STATIC, threshold="null").replace("depth: 16", "depth: 8")
    )
    with thin_building():
        torch.manual_seed(0)
        model = build_model("InSPyReNet_Light", encoder="mobilenetv4_conv_small", depth=8, base_size=(64, 64))
        state = {name: value.contiguous() for name, value in calibrated(model).state_dict().items()}
        save_file(state, folder / "tiny.safetensors")
        seen, held_out = write_set(folder / "seen", range(20)), write_set(folder / "held_out", range(20, 40))
        write_set(folder / "black", range(20), black=True)
        network = ["--config", str(folder / "tiny.yaml"), "--ckpt", str(folder / "tiny.safetensors")]
        yield [*network, "--quantize", "int8", "--calibrate", str(seen), "--held-out", str(held_out)]


def test_a_network_is_exported_and_cuts_out_in_int8(words, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(trial.LIMITS, "mBA", 0.1)  # the maps of random weights move more than those of trained ones
    monkeypatch.chdir(tmp_path)
    assert Export.main(words) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "tiny_int8.onnx"
    assert [path.name for path in tmp_path.iterdir()] == ["tiny_int8.onnx"]
    remover = Remover("tiny_int8.onnx", edges="none")
    assert " in int8 on cpu" in repr(remover)
    ours = remover.process(picture(60, 90), type="map").astype(int)
    theirs = Remover(words[1], "cpu", words[3], edges="none").process(picture(60, 90), type="map")
    assert ours.std() > 2 and np.abs(ours - theirs).mean() < 30


def test_what_is_too_much_worse_is_refused(words, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(int8, "export", lambda spec, options, say: write_graph(options.output, Brightness()))
    output, black = tmp_path / "out.onnx", words[-3].replace("seen", "black")
    assert Export.main([*words[:-3], black, *words[-2:], "--output", str(output)]) == 1
    said = capsys.readouterr()
    assert "int8" in said.out and "was not written" in said.err and "maxFm 0.9" in said.err
    assert not list(tmp_path.iterdir())
