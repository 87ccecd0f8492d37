"""Save a model as a folder that others can load, and publish it on the Hugging Face Hub."""

import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from ..data.hub.huggingface import CARD, CONFIG, WEIGHTS, HubError, HubModel, hub_model, publish_model
from ..data.images.preprocess import Preprocess
from ..engine import build
from ..engine.presets import ModelSpec, resolve_model
from ..networks.torch_network import preprocessing
from ..utils.config.load import save_resolved, without_places
from ..utils.config.plugins import outside_names
from ..utils.config.schema import Config, DatasetSection, EvalSection
from ..utils.config.transforms import Transforms
from ..utils.system.extras import extras_named
from ..utils.system.whole_file import whole_file
from .card import model_card, scores_of


def from_pretrained(name: str | Path, overrides: Sequence[str] = ()) -> nn.Module:
    """A trained network in eval mode: of hf:owner/name, of a folder or file of weights, or of any other mode.

    Raises what `resolve_model` raises, and WeightsError where the weights do not fit.
    """
    spec = resolve_model(name, overrides=overrides)
    return build.loaded(spec.config, spec.weights).eval()


def prepared_alike(spec: ModelSpec, used: Preprocess, precision: str | None = None) -> ModelSpec:
    """The same with a section Test that sizes images like `used`; precision: to be written there; None: as it is.

    Raises MissingSection where another sizing or precision needs that section and there is none.
    """
    if preprocessing(spec, None) == used and precision is None:
        return spec
    test = build.section(spec.config, "Test")
    sized = {f"{used.sizing}_resize": {"size": used.size, "backend": used.backend}}
    transforms = Transforms.model_validate({**sized, "normalize": test.Dataset.transforms.normalize})
    dataset = test.Dataset.model_copy(update={"transforms": transforms})
    test = test.model_copy(update={"Dataset": dataset, "precision": precision or test.precision})
    return replace(spec, config=spec.config.model_copy(update={"Test": test}))


def save_pretrained(spec: ModelSpec, folder: str | Path, repository: str | None = None) -> Path:
    """Write the weights, model.safetensors, the config that they belong to, and a model card; the folder.

    A README.md that is there already stays as it is: people add to the card, or the folder is a project's own.
    repository: owner/name, for the examples on the card.

    Raises HubError for a network whose code is not in this package, WeightsError where the weights do not fit, OSError.
    """
    folder = Path(folder)
    shared = replace(spec, config=shared_config(spec.config))
    net = build.loaded(spec.config, spec.weights)
    with whole_file(folder / WEIGHTS, sync_name=True) as partial:
        state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
        save_file(state, partial, {"format": "pt"})
    save_resolved(shared.config, folder / CONFIG)
    with contextlib.suppress(FileExistsError), (folder / CARD).open("x", encoding="utf-8") as file:
        file.write(model_card(shared, net, scores_of(spec), repository))
    return folder


def push_to_hub(spec: ModelSpec, name: str, private: bool | None = None) -> str:
    """Publish what `save_pretrained` writes as owner/name or owner/name@branch; the address.

    private: of a repository that is new; None: as its owner has it for new ones.
    Raises HubError, ExtraMissing, and what `save_pretrained` raises.
    """
    target = _target(name)
    with tempfile.TemporaryDirectory() as folder, extras_named():
        return publish_model(target, save_pretrained(spec, folder, target.repository), private)


def _target(name: str) -> HubModel:
    found = hub_model(name if name.startswith("hf:") else f"hf:{name}")
    if found is None:
        raise HubError(f"{name}: write owner/name")
    return found


def shared_config(config: Config) -> Config:
    """What others need of a config: no places of this machine, no names of code that they do not have.

    Raises HubError where the network itself is such code, or parses scenes, which `Remover` and the card do not.
    """
    if config.Model is not None and config.Model.classes is not None:
        raise HubError(
            f"{config.name}: parses scenes, and only networks of salient objects are saved like this: share its run folder"
        )
    config = without_places(config)
    named = outside_names(config.model_dump())
    for key, code in named:
        if key.startswith("Model."):
            raise HubError(f"{key}: {code} is code of your own, which who downloads the weights does not have")
    changes: dict[str, object] = {"Eval": EvalSection()}
    if any(key.startswith("Train.") for key, _ in named):
        changes["Train"] = None
    elif config.Train is not None:  # the tracker's arguments name accounts, servers and folders
        changes["Train"] = config.Train.model_copy(update={"Tracker": None, "TrackerArguments": {}})
    if config.Test is not None:
        plain = DatasetSection.model_fields["type"].default
        dataset = config.Test.Dataset.model_copy(update={"type": plain, "arguments": {}})
        changes["Test"] = config.Test.model_copy(update={"Dataset": dataset})
    return config.model_copy(update=changes)
