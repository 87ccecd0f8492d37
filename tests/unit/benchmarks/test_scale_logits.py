"""benchmarks/weights/scale_logits.py: the same object from larger logits; weights of other networks are refused."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.weights import scale_logits
from inspyrenet import build_model
from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.tune.trained_split import splits_in
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.train.checkpoint import stamped
from tests.tiny_network import SIDE, picture, tiny_state


def network():
    return build_model("InSPyReNet_Light", encoder="mobilenetv4_conv_small", depth=16, base_size=(SIDE, SIDE)).eval()


def test_every_level_gets_larger_by_the_factor(tmp_path):
    """S3 by itself exactly; what the finer stages add also depends on their attention, which sees the scaled maps."""
    state, image = tiny_state(), torch.from_numpy(Preprocess(size=(SIDE, SIDE))(picture())[0])[None]
    source, output = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, source)
    assert scale_logits.main([str(output), str(source), "1.5"]) == 0
    before, after = network(), network()
    before.load_state_dict(state)
    after.load_state_dict(load_file(output))
    with torch.inference_mode():
        old, new = before(image), after(image)
        torch.testing.assert_close(new.saliency[0], 1.5 * old.saliency[0])
        contexts, f3, _ = before.decode(image)
        joined = before.joined([contexts[2], f3], old.laplacian[0].shape[-2:])
        u = before.attention2(joined, new.saliency[0])[1]
    torch.testing.assert_close(new.laplacian[0], 1.5 * u, rtol=1e-4, atol=1e-4)
    assert new.logits.std() > 1.2 * old.logits.std()


def test_the_split_is_kept(tmp_path):
    (config,) = load_config(["InSPyReNet_Bundled"])
    source, output = tmp_path / "a.pth", tmp_path / "b.safetensors"
    torch.save(stamped({"model": tiny_state(), "ema": None, "config": config.model_dump(mode="json")}), source)
    assert scale_logits.main([str(output), str(source), "2"]) == 0
    assert splits_in(output) == splits_in(source) != []


def test_other_networks_and_factors_are_refused(tmp_path, capsys):
    source, output = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({"conv.weight": torch.zeros(2, 2)}, source)
    assert scale_logits.main([str(output), str(source), "1.5"]) == 1
    assert "is not of an InSPyReNet" in capsys.readouterr().err and not output.exists()
    for factor in ("0", "nan", "inf"):
        with pytest.raises(SystemExit):
            scale_logits.main([str(output), str(source), factor])
        assert "above 0" in capsys.readouterr().err
