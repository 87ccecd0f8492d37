"""Networks from configs, also from those that came with someone's weights."""

import pytest
from torch import nn

from inspyrenet.engine import build
from inspyrenet.engine.build import freeze_parts, model_arguments
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.config.schema import ModelSection


@pytest.mark.parametrize("arguments", [{}, {"pretrained": True}])
def test_only_model_pretrained_says_whether_weights_are_fetched(arguments):
    """What is loaded from a checkpoint asks for no pretrained encoder, whatever the config's arguments say."""
    section = ModelSection(name="InSPyReNet_Light", encoder="resnet18", arguments=arguments)
    assert model_arguments(section)["pretrained"] is False
    assert model_arguments(section.model_copy(update={"pretrained": True}))["pretrained"] is True


def parts() -> nn.Module:
    net = nn.Module()
    for name in ("backbone", "context1", "context2", "decoder"):
        net.add_module(name, nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU()))
    return net


def test_parts_that_do_not_learn_are_named_also_with_wildcards():
    net = parts()
    freeze_parts(net, ["backbone", "context*"])
    assert {name.split(".")[0] for name, one in net.named_parameters() if one.requires_grad} == {"decoder"}
    freeze_parts(net := parts(), [])
    assert all(one.requires_grad for one in net.parameters())


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (
            ["backbone", "encoder"],
            "Module has no module 'encoder'; its parts are backbone, context1, context2, decoder",
        ),
        (["*"], "leaves nothing to learn"),
    ],
)
def test_a_wrong_name_and_an_idle_training_are_refused(patterns, message):
    with pytest.raises(ValueError, match=f"Train.FineTune.freeze.*{message}"):
        freeze_parts(parts(), patterns)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Model.arguments={foo: 1}"], "Model.arguments.foo: InSPyReNet_Light does not take it"),
        (["Model.name=BiRefNet_Light"], "Model.depth: BiRefNet_Light does not take it"),
    ],
)
def test_an_argument_that_a_network_does_not_take_is_named(words, message):
    (config,) = load_config("InSPyReNet_Light", words)
    with pytest.raises(build.ModelError, match=message):
        build.network(config)
