"""Which network a command or a program runs, and how: the options that all of them share. Imports nothing heavy.

A new option is a field of `NetworkOptions` and a parameter of `Remover`; every command then has it.
"""

import argparse
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

Engine = Literal["auto", "onnx", "openvino", "torch"]
ENGINES: tuple[str, ...] = get_args(Engine)
MODE_HELP = "fast, base, a config, a checkpoint or hf:owner/name (default: bundled)"


def override(word: str) -> str:
    """The argument type of Section.key=value."""
    if "=" not in word:
        raise argparse.ArgumentTypeError(
            f"what is {word!r}? A word without an option changes the config, as Model.depth=32 does; images need an option"
        )
    return word


def _argument(*flags: str, runs: bool = True, maps: bool = True, **words: Any) -> dict[str, Any]:
    """A field's metadata. runs: it says how the network runs, not which one it is; maps: the maps may differ by it."""
    return {"flags": flags, "runs": runs, "maps": maps, "words": words}


@dataclass(frozen=True)
class NetworkOptions:
    """The parameters of `Remover`, which says what they mean."""

    overrides: tuple[str, ...] = field(
        default=(),
        metadata=_argument(
            runs=False, nargs="*", type=override, metavar="Section.key=value", help="config: Model.alignment=corrected"
        ),
    )
    mode: str | Path | None = field(
        default=None,
        metadata=_argument("-m", "--mode", "-c", "--config", runs=False, maps=False, metavar="NAME", help=MODE_HELP),
    )
    ckpt: str | Path | None = field(
        default=None,
        metadata=_argument(
            "--ckpt", runs=False, maps=False, metavar="FILE", help="weights or run folder, in place of the mode's own"
        ),
    )
    device: str = field(
        default="auto",
        metadata=_argument(
            "--device",
            maps=False,
            metavar="NAME",
            help="auto (default), cpu, cuda, cuda:1, mps, …",
        ),
    )
    resize: Literal["static", "dynamic"] | None = field(
        default=None,
        metadata=_argument(
            "--resize",
            choices=("static", "dynamic"),
            metavar="HOW",
            help="static: one input size; dynamic: aspect ratio kept, large images blended",
        ),
    )
    precision: str | None = field(
        default=None, metadata=_argument("--precision", metavar="NAME", help="float32, bfloat16, float16, auto")
    )
    jit: bool = field(
        default=False,
        metadata=_argument(
            "--jit", maps=False, action="store_true", help="compile the network (pays off for many images)"
        ),
    )
    patch_merging: bool = field(
        default=False,
        metadata=_argument("--PM", action="store_true", help="patch merging: full resolution at bounded memory"),
    )
    engine: Engine = field(
        default="auto",
        metadata=_argument(
            "--engine",
            maps=False,
            choices=ENGINES,
            metavar="NAME",
            help="auto (default), onnx, openvino, torch",
        ),
    )

    @classmethod
    def add_arguments(
        cls, parser: argparse.ArgumentParser, runs: bool = True, without: Collection[str] = ()
    ) -> argparse._ArgumentGroup:
        """Add the group "network" to the parser. runs=False: only what says which network; without: fields to leave out."""
        group = parser.add_argument_group("network")
        for one in fields(cls):
            about = one.metadata
            if one.name not in without and (runs or not about["runs"]):
                group.add_argument(*about["flags"], dest=one.name, default=one.default, **about["words"])
        if runs:
            group.add_argument(
                "--gpu", action="store_const", const="cuda", dest="device", help="the same as --device cuda"
            )
        return group

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> "NetworkOptions":
        """What the command line says; a field that the command does not offer keeps its default."""
        given: dict[str, Any] = {one.name: getattr(arguments, one.name, one.default) for one in fields(cls)}
        return cls(**given | {"overrides": tuple(given["overrides"])})

    def deciding_maps(self) -> dict[str, Any]:
        """The options by which maps may differ, but for the network itself and its weights."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.metadata["maps"]}
