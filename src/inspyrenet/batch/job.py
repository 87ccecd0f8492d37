"""A batch from its request to its manifest: look, plan, start workers, take in their rows, sum up."""

import contextlib
import hashlib
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..cloud.path import as_path
from ..data.images.encode import check_format
from ..engine.network_options import NetworkOptions
from ..files.request import check_folder_name
from ..mending.options import NOTHING, Mending
from ..remover.compositing import OutputStyle, check_threshold, mended_style, style_of
from ..remover.foreground import choose_method
from ..utils.system.allocator import freed_memory_kept
from ..utils.system.paths import expanded, is_same_file
from ..utils.system.signals import Handler
from .cluster import RayExecutor
from .errors import BatchError, cleaning_up, load_arrow
from .in_flight import InFlight
from .inputs import Inputs, Item, find_inputs, is_text, lay_out, tasks_of
from .layout import lay_out_workers
from .local import LocalExecutor
from .manifest import FAILED, Journal, Manifest, Row, merge_rows, table_of
from .network import Network, resolve_network
from .places import check_writable, listed
from .progress import Progress, Summary
from .resume import plan_resume, without_replaced
from .worker import Settings, Worker

EXECUTORS = ("local", "ray")
_memory = contextlib.ExitStack()  # of a worker's process


@dataclass(frozen=True)
class BatchRequest:
    """What to cut out, how, and by whom; the options of `inspyrenet batch`."""

    input: str
    output: str
    executor: str = "local"
    root: str | None = None
    manifest: str | None = None
    type: Any = "rgba"
    format: str | None = None
    threshold: float | None = None
    reverse: bool = False
    edges: str = "auto"
    keep_metadata: bool = False
    overwrite: bool = False
    mending: Mending = NOTHING
    network: NetworkOptions = field(default_factory=NetworkOptions)
    workers: int | None = None
    threads: int | None = None
    batch_size: int | None = None
    shard_size: int = 256
    address: str | None = None
    verbose: bool = False


@dataclass(frozen=True)
class OutputOptions:
    """How the results look; checked. edges: the same for all workers, whatever is installed where they run."""

    style: OutputStyle
    format: str
    edges: str


def run(request: BatchRequest, say: Callable[[str], None] | None = None) -> Summary:
    """Carry a batch out. Raises BatchError and what the parts raise where it cannot begin or go on; never for one image.

    KeyboardInterrupt (Ctrl-C, SIGTERM) leaves a manifest of all that was done.
    """
    say = say or _say
    output = _check(request)
    check_folder_name(request.output)
    dest = as_path(request.output).absolute()
    say(f"looking for images: {request.input}")
    inputs = find_inputs(request.input, dest, as_path(request.root) if request.root else None)
    items = lay_out(inputs, dest, output.format, request.shard_size)
    network = resolve_network(request.network)
    check_writable(dest)
    manifest = Manifest(as_path(request.manifest).absolute() if request.manifest else dest / "manifest.parquet")
    try:
        table = manifest.open(_made_with(request, output, network), request.overwrite)
        table = without_replaced(table, items)
        state = plan_resume(items, table, manifest.since, listed(dest, inputs.states))
        summary = Summary(manifest.file, skipped=state.finished)
        say(f"{inputs}: {state.finished:,} there already, {len(state.todo):,} to do")
        unnamed = _unnamed(inputs)
        summary.add(unnamed)
        manifest.save(merge_rows([table, table_of([*state.found, *unnamed])]))
        _check_background(request, state.todo)
        if state.todo:
            settings = _settings(request, output, network, manifest)
            _work(request, _suspected(state.todo, manifest), settings, manifest, summary, say)
        manifest.finish()
    finally:
        manifest.close()
    return summary


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _check(request: BatchRequest) -> OutputOptions:
    """Everything that is wrong with the words of a request, before anything is looked for."""
    load_arrow()
    if request.executor not in EXECUTORS:
        raise BatchError(f"there is no executor {request.executor!r}: there is {', '.join(EXECUTORS)}")
    if request.address and request.executor != "ray":
        raise BatchError("--address names a Ray cluster: it needs --executor ray")
    for name in ("workers", "threads", "batch_size", "shard_size"):
        if getattr(request, name) is not None and getattr(request, name) < 1:
            raise BatchError(f"--{name.replace('_', '-')} is at least 1, not {getattr(request, name)}")
    for word in filter(None, (request.output, request.manifest)):
        if not is_text(word):
            raise BatchError(f"{word!r}: a table cannot hold names that are not UTF-8: choose another one")
    if request.manifest and Path(request.manifest).suffix.lower() != ".parquet":
        raise BatchError(f"--manifest {request.manifest}: a manifest ends in .parquet")
    style = mended_style(style_of(request.type), request.mending, request.reverse)
    check_threshold(request.threshold)
    edges = choose_method(request.edges)
    shown = style.shows_edges and (request.threshold is None or request.mending.feather > 0)
    return OutputOptions(style, check_format(request.format or "png", style.transparent), edges if shown else "none")


def _made_with(request: BatchRequest, output: OutputOptions, network: Network) -> dict[str, Any]:
    """What must stay the same for results to belong together, as it is written into the manifest."""
    kind, style = output.style.kind, output.style
    if style.picture is not None:
        kind = f"picture {hashlib.sha256(style.picture.tobytes()).hexdigest()[:16]}"
    elif style.color is not None:
        kind = "#%02x%02x%02x" % style.color  # noqa: UP031
    look: dict[str, Any] = {"type": kind, "format": output.format, "edges": output.edges}
    look |= {"threshold": request.threshold, "reverse": request.reverse}
    look |= {"keep_metadata": True} if request.keep_metadata else {}
    look |= request.mending.words()
    options = request.network.deciding_maps() | {"overrides": " ".join(request.network.overrides)}
    return {"network": network.name, "weights": network.digest} | options | look


def _settings(request: BatchRequest, output: OutputOptions, network: Network, manifest: Manifest) -> Settings:
    return Settings(
        network, output.style, output.format, str(manifest.folder), manifest.started, request.threshold, request.reverse,
        edges=output.edges, keep_metadata=request.keep_metadata, batch_size=request.batch_size,
    )  # fmt: skip


def _unnamed(inputs: Inputs) -> list[Row]:
    """Rows for files whose names no manifest can hold."""
    reason = "a name that no path can have (not UTF-8, or an empty part in the key): rename it"
    names = [name.encode("utf-8", "backslashreplace").decode() for name in inputs.unnamed]
    return [Row(name, "", FAILED, reason, finished=time.time()) for name in names]


def _check_background(request: BatchRequest, todo: Sequence[Item]) -> None:
    """Raises BatchError where a result would replace the background picture."""
    picture = request.type
    if isinstance(picture, str) and expanded(picture).is_file():
        for item in todo:
            if is_same_file(Path(item.output), picture):
                raise BatchError(
                    f"{item.path}: its result would replace {picture}, the background: move that elsewhere"
                )


def _suspected(todo: Sequence[Item], manifest: Manifest) -> list[Item]:
    """The items, those marked that were at work when an earlier run was killed."""
    suspects = InFlight(manifest.folder).crash_suspects()
    return [Item(item.path, item.output, item.shard, item.path in suspects) for item in todo] if suspects else [*todo]


# -- the work -----------------------------------------------------------------------------------------------------


def make_worker(settings: Settings, name: str, device: str, threads: int) -> Worker:
    """For executors, in the worker's process, which keeps freed memory as long as it lives."""
    _memory.enter_context(freed_memory_kept())
    return Worker(replace(settings, device=device, threads=threads), name)


def _work(
    request: BatchRequest,
    todo: list[Item],
    settings: Settings,
    manifest: Manifest,
    summary: Summary,
    say: Callable[[str], None],
) -> None:
    """Start workers and take in rows until everything is tried, or nothing can be written any more."""
    progress = Progress(len(todo), request.verbose or sys.stderr.isatty())
    journal = Journal(manifest, Counter(item.shard for item in todo))
    started = time.perf_counter()
    try:
        # SIGTERM, as schedulers send it, ends the batch as Ctrl-C does
        with _executor(request, progress.say) as executor, Handler(_interrupt, (signal.SIGTERM,)):
            layout = lay_out_workers(
                executor.nodes(), request.workers, request.threads, request.network.device, executor.name == "ray"
            )
            say(f"{layout}, {settings.network.name}: loading the network …")
            rows = executor.run(tasks_of(todo, layout.workers), partial(make_worker, settings), layout)
            with progress, contextlib.closing(rows):
                _take_in(rows, journal, summary, progress, started, request.verbose)
    except BaseException:
        if progress.count:
            say(f"stopped after {progress.count:,} of {progress.total:,} images: the same command goes on from there")
        raise
    finally:
        summary.seconds = time.perf_counter() - started
        summary.left = progress.total - progress.count
        with cleaning_up():  # rows that cannot be written are found again from the results
            journal.flush()
        with cleaning_up():
            manifest.check_lease()  # else the marks are those of another command
            InFlight(manifest.folder).clear()  # nobody died of anything: this process is here to say so


def _executor(request: BatchRequest, say: Callable[[str], None]) -> "LocalExecutor | RayExecutor":
    if request.executor == "local":
        return LocalExecutor(say, request.network)
    return RayExecutor(say, request.network.device, request.address, request.verbose)


def _take_in(
    rows: Iterator[list[Row]], journal: Journal, summary: Summary, progress: Progress, started: float, verbose: bool
) -> None:
    for chunk in rows:
        journal.add(chunk)
        summary.add(chunk, time.perf_counter() - started)
        progress.add(len(chunk))
        for row in chunk if verbose else ():
            progress.say(f"{row.path} → {row.output}: {row.message or f'{row.seconds:.2f} s'}")
        if any(row.fatal for row in chunk):
            return


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
