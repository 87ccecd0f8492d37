"""A compiled network: graphs for its own size only, however many sizes the images have."""

import pytest
import torch

from inspyrenet.engine.jit import CompilerMissing, check_compiler, compilations, compiled
from inspyrenet.lib import build_model


@pytest.fixture
def network() -> torch.nn.Module:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    torch.manual_seed(0)
    return build_model("InSPyReNet_Light", depth=8, base_size=(64, 64)).eval()


@torch.inference_mode()
def test_sizes_make_no_new_graphs(network, monkeypatch):
    monkeypatch.setattr("inspyrenet.engine.jit.check_compiler", lambda device: None)
    shapes = [(1, 3, 64, 64), (1, 3, 96, 64), (1, 3, 128, 160), (1, 3, 32, 320), (1, 3, 64, 64)]
    images = [torch.randn(shape) for shape in shapes]
    expected = [network(image).logits for image in images]
    model = compiled(network, backend="eager")
    for image, logits in zip(images, expected, strict=True):
        torch.testing.assert_close(model(image).logits, logits, rtol=1e-4, atol=1e-4)
    assert compilations() == 1


def test_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(CompilerMissing, match="install one"):
        check_compiler(torch.device("cpu"))
