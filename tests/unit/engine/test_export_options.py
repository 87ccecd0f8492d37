"""What a file cannot hold is refused instead of left out."""

from dataclasses import replace

import pytest

from inspyrenet.engine.export import ExportError, ExportOptions, metadata_for
from inspyrenet.engine.presets import resolve_model
from inspyrenet.lib.sizes import SizeRule
from inspyrenet.utils.config.load import load_config
from tests.tiny_network import write_tiny


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        ("Test.flip=true", "Test.flip=false"),
        ("Test.scales=[0.75, 1]", "Test.scales=[1]"),
        ("Test.patch_merging=true", "Test.patch_merging=false"),
    ],
)
def test_predictions_of_several_passes(tmp_path, word, instead):
    config, weights = write_tiny(tmp_path)
    spec, rule = resolve_model(config, weights), SizeRule(32, 0, 32)
    with pytest.raises(ExportError, match="a file holds a single pass") as caught:
        metadata_for(replace(spec, config=load_config(config, [word])[0]), ExportOptions(), rule)
    again = load_config(config, [instead])[0]
    assert instead in str(caught.value)
    assert metadata_for(replace(spec, config=again), ExportOptions(), rule).name == "tiny"
