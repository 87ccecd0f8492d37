"""Names of code from outside this package: found, checked against their signatures, and refused in the config's words."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from inspyrenet.commands.configs import load
from inspyrenet.data.augment.outside import AugmentationError, OutsideTransform
from inspyrenet.data.augment.sample import Sample
from inspyrenet.engine import build
from inspyrenet.engine.options import Options
from inspyrenet.plugins.metrics import register_metrics
from inspyrenet.plugins.trained import family
from inspyrenet.utils.config.load import ConfigError, load_config
from inspyrenet.utils.config.plugins import PluginError, find
from inspyrenet.utils.metrics import MetricError, score

CODE = """\
import torch

class Net(torch.nn.Module):
    def __init__(self, width: int, kernel: int = 3):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 1, kernel, padding=kernel // 2)
    def forward(self, image):
        return self.layer(image)

class Wrong(Net):
    def forward(self, image):
        return image

class Failing(Net):
    def forward(self, image):
        return self.layer(image[:, :2])

def error(saliency, mask, power=1):
    return float((abs(saliency - mask) ** power).mean())
error.better = "lower"

def unranked(saliency, mask):
    return 0.0

number = 3
"""
CONFIG = """\
Model: {{name: "{model}", base_size: [64, 64], arguments: {{{arguments}}}}}
Train:
  Dataset: {{type: Synthetic, root: data, sets: [A], transforms: {{static_resize: {{size: [64, 64]}}}}}}
{more}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A config's folder, which is not the current one, with modules in it."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "q_code.py").write_text(CODE)
    (own / "q_broken.py").write_text("import torch\n1 / 0\n")
    (own / "q_needs.py").write_text("import q_absent\n")
    monkeypatch.chdir(tmp_path)
    return own


def read(model: str = "q_code:Net", arguments: str = "width: 1", more: str = ""):
    Path("own/one.yaml").write_text(CONFIG.format(model=model, arguments=arguments, more=more))
    return load(Options(("own/one.yaml",)))[0]


def wrong(*given, **options) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(*given, **options)
    return caught.value.messages


def test_a_model_beside_its_config_is_built_like_ours(folder):
    config = read()
    assert config.plugin_folders == (str(folder),)
    net = build.network(config)
    out = net(torch.zeros(2, 3, 64, 64))
    assert out.logits.shape == (2, 1, 64, 64) and out.laplacian == ()
    assert net.base_size == (64, 64)
    assert family("q_code:Net") == "InSPyReNet" and family("PSPNet_ResNet50") == "PSPNet"


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("q_codes:Net", "",
         "Model.name: there is no module q_codes in {folder}, PYTHONPATH or what is installed; did you mean q_code?"),
        ("q_code:Nett", "", "Model.name: q_code has no Nett; did you mean Net?"),
        ("q_code:number", "", "Model.name: q_code:number is 3, not a class or function"),
        ("q_code:Net", "", "Model.arguments: Net needs the argument width"),
        ("q_code:Net", "width: 1, kernl: 3", "Model.arguments.kernl: unknown argument of Net; did you mean kernel?"),
        ("q_code:Net", "width: wide", "Model.arguments.width: must be a valid integer, not 'wide'"),
        ("q_needs:Net", "", "Model.name: q_needs cannot be imported: it needs q_absent, which is not installed"),
        ("q_broken:Net", "",
         "Model.name: q_broken cannot be imported: ZeroDivisionError: division by zero ({folder}/q_broken.py:2)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_name_or_its_arguments_is_one_line(folder, model, arguments, message):
    assert wrong(model, arguments) == [f"own/one.yaml:1: {message.format(folder=folder)}"]


def test_mistakes_of_all_kinds_come_in_one_round():
    more = """\
  Loss: q_code:los
Eval:
  metrics: ["q_code:unranked", "q_code:error", maxxFm]
  metric_arguments: {"q_code:error": {powr: 2}}
"""
    assert wrong(more=more) == [
        "own/one.yaml:6: Eval.metrics: unknown metric 'maxxFm'; did you mean maxFm?",
        "own/one.yaml:4: Train.Loss: q_code has no los",
        "own/one.yaml:6: Eval.metrics: q_code:unranked needs an attribute better, 'higher' or 'lower', so that tables know "
        "the best",
        "own/one.yaml:7: Eval.metric_arguments: q_code:error: powr: unknown argument of error; did you mean power?",
    ]


def test_what_a_model_gives_is_checked_when_it_is_built():
    with pytest.raises(
        PluginError, match=r"Model.name: forward of q_code:Wrong gives \(1, 3, 64, 64\), and not logits"
    ):
        build.network(read("q_code:Wrong"))
    with pytest.raises(PluginError, match=r"q_code:Failing fails on an image of \(1, 3, 64, 64\): RuntimeError"):
        build.network(read("q_code:Failing"))


def test_a_module_with_the_name_of_another_one_is_refused(folder):
    (folder / "json.py").write_text(CODE)
    (message,) = wrong("json:Net")
    assert "give your module another name" in message


def test_nothing_is_imported_for_a_config_that_nobody_named(folder):
    Path("own/one.yaml").write_text(CONFIG.format(model="q_code:Net", arguments="width: 1", more=""))
    with pytest.raises(ConfigError, match=r"one.yaml:1: Model.name: q_code:Net is code that is not imported"):
        load_config("own/one.yaml", outside=False)
    with pytest.raises(PluginError, match="not imported"):
        find("model", "q_code:Net")
    assert "q_code" not in sys.modules


def test_an_installed_package_offers_names(tmp_path, monkeypatch):
    info = tmp_path / "site" / "q_toy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: q-toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[inspyrenet.models]\nq_small = q_code:Net\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "own")
    assert build.network(read("q_small"))(torch.zeros(1, 3, 64, 64)).logits.shape == (1, 1, 64, 64)
    assert wrong("q_smal") == ["own/one.yaml:1: Model.name: unknown name 'q_smal'; did you mean q_small?"]


def test_a_metric_is_scored_under_its_short_name():
    config = read(more='Eval: {metrics: ["q_code:error"], metric_arguments: {"q_code:error": {power: 2}}}')
    register_metrics([config, config])
    prediction, mask = np.full((8, 8), 64, np.uint8), np.zeros((8, 8), bool)
    assert score(prediction, mask, ["q_code:error"]).scalars["error"] == pytest.approx((64 / 255) ** 2)
    other = read(more='Eval: {metrics: ["q_code:error"]}')
    with pytest.raises(MetricError, match="score them apart"):
        register_metrics([other])


def test_an_augmentation_that_gives_something_else_is_named():
    sample = Sample(np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8))
    step = OutsideTransform(lambda image, mask, rng: (image / 2, mask), "mine:half")
    with pytest.raises(AugmentationError, match=r"mine:half must give \(image, mask\).*float64 \(4, 6, 3\)"):
        step(sample, np.random.default_rng(0))
