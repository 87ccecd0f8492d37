"""Averaging in prediction: any network, the sizes that it takes, and the config's words for it."""

from types import SimpleNamespace

import pytest
import torch

from inspyrenet.commands.configs import load
from inspyrenet.engine.options import Options
from inspyrenet.engine.predictor import Predictor
from inspyrenet.lib.inference.tta import predict_averaged
from inspyrenet.utils.config.load import ConfigError
from tests.thin_networks import Toy

CPU = torch.device("cpu")


class Ramp(torch.nn.Module):
    """Brighter to the right, whatever is shown."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, image):
        self.sizes.append(tuple(image.shape[-2:]))
        logits = torch.linspace(-3, 1, image.shape[-1]).expand(image.shape[0], 1, *image.shape[-2:])
        return SimpleNamespace(logits=logits, saliency=(logits,), laplacian=())


def test_sizes_are_those_that_a_network_takes():
    model = Ramp()
    predict_averaged(model, torch.zeros(1, 3, 96, 128), scales=(0.5, 1, 1.25), flip=False)
    assert model.sizes == [(64, 64), (96, 128), (128, 160)]
    with pytest.raises(ValueError, match="at least one scale"):
        predict_averaged(model, torch.zeros(1, 3, 32, 32), scales=())


def test_predictor_gives_logits_of_the_mean_probability():
    image = torch.zeros(2, 3, 64, 96)
    plain = Predictor(Ramp(), CPU)(image).logits.sigmoid()
    mean = Predictor(Ramp(), CPU, flip=True, scales=(1.0,))(image).logits.sigmoid()
    torch.testing.assert_close(mean, (plain + plain.flip(-1)) / 2, atol=1e-6, rtol=0)
    model = Ramp()
    Predictor(model, CPU, scales=[1.0])(image)
    assert len(model.sizes) == 1


@pytest.mark.parametrize("way", [{}, {"threshold": 64}, {"merging": True}])
@pytest.mark.parametrize("levels", [False, True])
def test_with_flip_a_mirrored_image_gives_the_mirrored_levels(way, levels):
    torch.manual_seed(3)
    image, resized = torch.randn(2, 3, 128, 192), torch.randn(2, 3, 64, 64)
    predictor = Predictor(Toy(), CPU, flip=True, **way)
    out = predictor(image, resized, levels)
    mirrored = predictor(image.flip(-1), resized.flip(-1), levels)
    assert len(out.saliency) == (1 if "merging" in way and not levels else 4)
    for a, b in zip(sum(out, ()), sum(mirrored, ()), strict=True):
        torch.testing.assert_close(a, b.flip(-1), atol=2e-5, rtol=1e-4)
    alone = Predictor(Toy(), CPU, **way)(image, resized, levels)
    assert (out.logits - alone.logits).abs().max() > 0.01


CONFIG = """\
Model: {name: PSPNet_ResNet50, base_size: [65, 65], threshold: null}
Test:
  Dataset: {root: data, sets: [A], transforms: {static_resize: {size: [65, 65]}}}
  flip: true
  scales: [0.5, 1]
Eval:
  metrics: [sm, hce]
"""


def test_config_says_when_averaging_cannot_be(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(CONFIG)
    (config,) = load(Options((str(path),)))
    assert (config.Test.flip, config.Test.scales) == (True, (0.5, 1.0))
    with pytest.raises(ConfigError) as caught:
        load(Options((str(path),), ("Model.threshold=512", "Eval.metrics=[Smm,hcee]")))
    reason = "averages one-pass predictions: set Model.threshold to null and patch_merging to false"
    assert caught.value.messages == [
        "override: Eval.metrics: unknown metric 'Smm'; did you mean Sm?",
        "override: Eval.metrics: unknown metric 'hcee'; did you mean HCE?",
        "override: Model.threshold: PSPNet_ResNet50 has no pyramid to blend: set Model.threshold to null and "
        "Test.patch_merging to false",
        f"{path}:5: Test.scales: {reason}",
    ]
