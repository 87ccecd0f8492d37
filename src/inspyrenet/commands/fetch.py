"""inspyrenet d, inspyrenet models: what is published, what is here, and bringing it here. No torch."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..data.hub import registry
from ..data.hub.registry import KINDS, Published, UnknownName, find, is_present, load
from .parser import Parser

SHOWN = {"weights": "weights", "data": "data sets", "maps": "pre-computed maps"}


def build_parser() -> argparse.ArgumentParser:
    """The command line of `inspyrenet d`."""
    parser = Parser(
        prog="inspyrenet d",
        usage="%(prog)s NAME … [option …]",
        description="Download published files: verified, resumed after an interruption, never unasked.",
        epilog=f"Weights go to the cache folder (${registry.HOME_VARIABLE} names another), data sets to data/, maps to "
        "snapshots/. Proxies are taken from HTTPS_PROXY. Without a network: --from.",
    )
    add = parser.add_argument_group("what to fetch").add_argument
    add("names", nargs="*", metavar="NAME", help="weights, data set, group of data sets, or METHOD/SET")
    add("--weights", nargs="+", action="extend", default=[], metavar="NAME", help="only among weights")
    add("--data", nargs="+", action="extend", default=[], metavar="NAME", help="only among data sets")
    add(
        "--sota",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="only among pre-computed maps: METHOD or METHOD/SET",
    )
    add("-l", "--list", action="store_true", help="list everything that is published")
    add = parser.add_argument_group("where").add_argument
    add("--from", dest="local", type=Path, metavar="PATH", help="take the file from here (a file, or a folder with it)")
    add("--root", type=Path, metavar="FOLDER", help="another folder than the cache (weights) or the clone (the rest)")
    add("--overwrite", action="store_true", help="fetch again what is there")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch what was named, one after the other; 1 where anything failed, with a line for each."""
    parser = build_parser()
    options = parser.parse_args(argv)
    if options.list:
        return list_all()
    asked: list[tuple[str, tuple[str, ...]]] = [(name, KINDS) for name in options.names]
    for kind, names in (("weights", options.weights), ("data", options.data), ("maps", options.sota)):
        asked += [(name, (kind,)) for name in names]
    if not asked:
        parser.error("say what to fetch: a NAME (inspyrenet d --list shows them all)")
    failed = 0
    try:
        entries = [entry for name, kinds in asked for entry in find(name, kinds)]
    except UnknownName as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.local and options.local.is_file() and len(entries) > 1:
        parser.error(f"--from {options.local} is one file, {len(entries)} are asked for: give a folder that holds them")
    try:
        for entry in entries:
            failed += not _obtain(entry, options)
    except KeyboardInterrupt:
        print("interrupted; what came is kept: the same command goes on from there", file=sys.stderr)
        return 130
    return 1 if failed else 0


def _obtain(entry: Published, options: argparse.Namespace) -> bool:
    """Fetch one file, with a progress bar on a terminal; False where it failed."""
    from tqdm import tqdm

    from ..data.hub.archives import ArchiveError
    from ..data.hub.download import DownloadError, fetch_published

    bar = tqdm(unit="B", unit_scale=True, disable=None, leave=False, file=sys.stderr)

    def progress(done: int, total: int | None) -> None:
        bar.total = total
        bar.update(done - bar.n)

    def say(line: str) -> None:
        with bar.external_write_mode(file=sys.stderr):
            print(line, file=sys.stderr)

    try:
        with bar:
            say(f"{entry.name}: terms: {entry.terms}")
            fetch_published(
                entry,
                root=options.root,
                local=options.local,
                overwrite=options.overwrite,
                progress=progress,
                say=say,
            )
            if entry.config:
                say(f"{entry.name}: --config {' '.join([entry.config, *entry.settings])}")
    except (DownloadError, ArchiveError) as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    return True


# -- lists --------------------------------------------------------------------------------------------------------


def list_models(argv: Sequence[str] | None = None) -> int:
    """Print every model: mode or name, size, terms, whether it is here."""
    Parser(prog="inspyrenet models", description="List models and whether they are here.").parse_args(argv)
    from ..engine.presets import BUNDLED_TERMS, BUNDLED_WEIGHTS, has_default

    here = has_default()
    size = f"{BUNDLED_WEIGHTS.stat().st_size / 1e6:.0f} MB" if here else ""

    rows: list[tuple[str, ...]] = [("(default)", "yes" if here else "no", size, "", BUNDLED_TERMS, "the bundled model")]
    for entry in load("weights").values():
        row = _row(entry)
        rows.append((*row[:3], entry.config or "", *row[3:]))
    _print_table(("name", "here", "size", "config", "terms", ""), rows)
    print(f"\nfetch with: inspyrenet d NAME    cache folder: {registry.cache_folder()}")
    return 0


def list_all() -> int:
    """Print every published file by kind."""
    for kind in KINDS:
        print(f"{SHOWN[kind]}:")
        entries = load(kind)
        if kind == "maps":
            _print_maps(entries.values())
        else:
            _print_table(("name", "here", "size", "terms", ""), [_row(entry) for entry in entries.values()])
        print()
    return 0


def _row(entry: Published) -> tuple[str, ...]:
    if entry.size:
        size = f"{entry.size / 1e6:.0f} MB"
    elif entry.about_mb:
        size = f"about {entry.about_mb} MB"
    else:
        size = f"{entry.images} images" if entry.images else ""
    return entry.name, "yes" if is_present(entry) else "no", size, entry.terms, entry.note


def _print_maps(entries: Iterable[Published]) -> None:
    methods: dict[str, list[str]] = {}
    for entry in entries:
        method, dataset = entry.name.split("/")
        methods.setdefault(method, []).append(dataset)
    for method, sets in methods.items():
        print(f"  {method}: {', '.join(sets)}")


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
