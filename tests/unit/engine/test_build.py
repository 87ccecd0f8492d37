"""Networks from configs, also from those that came with someone's weights."""

import pytest

from inspyrenet.engine.build import model_arguments
from inspyrenet.utils.config.schema import ModelSection


@pytest.mark.parametrize("arguments", [{}, {"pretrained": True}])
def test_only_model_pretrained_says_whether_weights_are_fetched(arguments):
    """What is loaded from a checkpoint asks for no pretrained encoder, whatever the config's arguments say."""
    section = ModelSection(name="InSPyReNet_Light", encoder="resnet18", arguments=arguments)
    assert model_arguments(section)["pretrained"] is False
    assert model_arguments(section.model_copy(update={"pretrained": True}))["pretrained"] is True
