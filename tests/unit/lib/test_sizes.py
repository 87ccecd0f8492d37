"""Which sizes a network takes: one rule for what it checks, what is suggested, and how images are prepared for it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.lib import build_model
from inspyrenet.lib.inference.tta import predict_averaged
from inspyrenet.lib.sizes import SizeRule, rule_for, size_rule
from inspyrenet.lib.types import SizeError

NETWORKS = {  # name and arguments → the rule
    "InSPyReNet_Res2Net50": ({}, SizeRule(32)),
    "BiRefNet_SwinT": ({}, SizeRule(32, least=64)),
    "BiRefNet_PVTv2B2": ({}, SizeRule(32, least=64)),
    "PSPNet_ResNet50": ({}, SizeRule(1)),
    "PSPNet_ResNet101": ({"sizes": "8n+1"}, SizeRule(8, 1, 33)),
}


@given(
    st.sampled_from([SizeRule(32), SizeRule(32, least=64), SizeRule(8, 1, 33), SizeRule(1)]),
    st.tuples(st.integers(0, 3000), st.integers(1, 3000)),
)
def test_the_nearest_size_is_admitted_and_near(rule, size):
    fit = rule.nearest(size)
    assert rule.admits(fit)
    assert all(abs(ours - max(theirs, rule.least)) <= rule.multiple for ours, theirs in zip(fit, size, strict=True))
    if rule.admits(size):
        assert fit == size
        rule.check(size)
    else:
        with pytest.raises(SizeError, match=f"{fit[0]}×{fit[1]}"):
            rule.check(size)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_and_all_around_it_keep_one_rule(name):
    arguments, rule = NETWORKS[name]
    with torch.device("meta"):
        model = build_model(name, **arguments).eval()
    assert size_rule(model) == rule_for(name, arguments) == rule
    for size in ((20, 20), (32, 32), (33, 41), (64, 96), (65, 97)):
        if not rule.admits(size):
            fit = rule.nearest(size)
            with pytest.raises(SizeError, match=f"the nearest is {fit[0]}×{fit[1]}"):
                model(torch.zeros(1, 3, *size, device="meta"))
            with pytest.raises(SizeError, match=f"the nearest is {fit[0]}×{fit[1]}"), torch.device("meta"):
                build_model(name, base_size=size, **arguments)
        assert rule.admits(Preprocess("dynamic", 1280, fit=rule.nearest).target_size(size))


class Seen(torch.nn.Module):
    """Keeps the sizes that it is shown."""

    size_rule = rule_for("BiRefNet")

    def forward(self, image):
        self.sizes = [*getattr(self, "sizes", []), tuple(image.shape[-2:])]
        return type("Out", (), {"logits": image[:, :1]})


def test_scaled_copies_keep_it_too():
    model = Seen()
    predict_averaged(model, torch.zeros(1, 3, 64, 128), scales=(0.5, 1), flip=False)
    assert model.sizes == [(64, 64), (64, 128)]
