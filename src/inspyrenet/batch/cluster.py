"""Workers as actors of Ray Data, on this machine or on many. Ray starts those that die again and repeats what they had."""

import json
import logging
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..utils.system.cores import usable_cores
from .errors import BatchError, guarded, load_ray
from .inputs import Item
from .layout import Layout, Node
from .local import MakeWorker, Task
from .manifest import Row

if TYPE_CHECKING:
    import pyarrow

STORE = 256 * 2**20  # bytes of shared memory: only names and rows pass through it
IN_FLIGHT = 2  # tasks that an actor holds, so that it never waits for the next
QUIET = {"RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}


class RayExecutor:
    """Context manager. address: None starts Ray here, for this command only; auto, or ray://…: a cluster that is running.

    A Ray that this process had started already is used, and left as it is.
    """

    name = "ray"

    def __init__(
        self, say: Callable[[str], None], device: str = "auto", address: str | None = None, verbose: bool = False
    ):
        self.say, self.device, self.verbose = say, device, verbose
        self.address = address or os.environ.get("RAY_ADDRESS")
        self.own = False

    def __enter__(self) -> "RayExecutor":
        if not self.verbose:
            for name, value in QUIET.items():
                os.environ.setdefault(name, value)
        ray = load_ray()
        if not ray.is_initialized():
            self._start(ray)
        return self

    def _start(self, ray: ModuleType) -> None:
        level = "info" if self.verbose else "error"
        shared = {"log_to_driver": self.verbose, "logging_level": level}
        try:
            if self.address:
                self.say(f"connecting to Ray at {self.address} …")
                ray.init(address=self.address, **shared)
            else:
                self.say("starting Ray on this machine, which takes about 5 s …")
                here = {"num_cpus": usable_cores(), "object_store_memory": STORE, "include_dashboard": False}
                ray.init(address="local", **here, **shared)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = f"at {self.address}" if self.address else "here"
            raise BatchError(
                f"Ray cannot be reached {where} ({_first_line(error)}): is it running? (ray status)"
            ) from error
        self.own = True
        if not self.verbose:  # after the start, which sets them anew
            for name in ("ray", "ray.data"):
                logging.getLogger(name).setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        if self.own:
            load_ray().shutdown()

    def nodes(self) -> list[Node]:
        """Machines of the cluster. Raises BatchError for a device that names one GPU of several: Ray gives them out."""
        if self.device not in ("auto", "cpu", "cuda"):
            raise BatchError(f"with executor ray the device is auto, cpu or cuda, not {self.device}")
        alive = [node["Resources"] for node in load_ray().nodes() if node["Alive"]]
        nodes = [Node(int(own.get("CPU", 0)), int(own.get("GPU", 0))) for own in alive]
        cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
        self.say(f"Ray: {len(nodes)} machine{'s' * (len(nodes) > 1)}, cores: {cpus}, GPUs: {gpus}")
        return nodes

    def run(self, tasks: Sequence[Task], make: MakeWorker, layout: Layout) -> Generator[list[Row]]:
        """Rows of each task, in the order in which they end. Raises BatchError where workers fail, or the cluster is lost."""
        ray = load_ray()
        packed = [json.dumps([asdict(item) for item in task]) for task in tasks]
        stream = _stream_from_inside if ray.util.client.ray.is_connected() else _stream
        try:
            for content in stream(packed, make, layout):
                yield _unpack(content)
        except ray.exceptions.RayError as error:
            raise BatchError(f"Ray stopped ({_first_line(error)}): the same command goes on from here") from error


def _stream(packed: list[str], make: MakeWorker, layout: Layout) -> Iterator[str]:
    """Tasks as JSON → what became of them as JSON, by a fixed number of actors."""
    ray = load_ray()
    ray.data.DataContext.get_current().enable_progress_bars = False
    device = "cuda" if layout.gpu else layout.asked  # an actor sees its own GPU only
    pool = ray.data.ActorPoolStrategy(size=min(layout.workers, len(packed)), max_tasks_in_flight_per_actor=IN_FLIGHT)
    tasks = ray.data.from_items([{"task": task} for task in packed], override_num_blocks=len(packed))
    results = tasks.map_batches(
        Actor,
        fn_constructor_args=(make, device, layout.threads),
        batch_size=None,
        batch_format="pyarrow",
        compute=pool,
        num_cpus=layout.threads,
        num_gpus=layout.gpu or None,
    )
    for batch in results.iter_batches(batch_size=None, batch_format="pyarrow"):
        yield from batch["rows"].to_pylist()


def _stream_from_inside(packed: list[str], make: MakeWorker, layout: Layout) -> Iterator[str]:
    """The same through ray://, where Ray Data itself does not work: an actor on the cluster runs it and hands results out."""
    ray = load_ray()
    proxy = ray.remote(num_cpus=0)(StreamProxy).remote(packed, make, layout)
    while (content := ray.get(proxy.next.remote())) is not None:
        yield content


class StreamProxy:
    """An iterator that lives on the cluster."""

    def __init__(self, packed: list[str], make: MakeWorker, layout: Layout):
        self.stream = _stream(packed, make, layout)

    def next(self) -> str | None:
        return next(self.stream, None)


class Actor:
    """A worker in the shape that Ray Data takes: a table of tasks → a table of their rows, both as JSON.

    What stops the batch goes the same way as rows do, since Ray would try again what was raised, without end.
    """

    def __init__(self, make: MakeWorker, device: str, threads: int):
        import ray

        name = ray.get_runtime_context().get_actor_id() or ""  # the same after a restart
        self.made = guarded(make, name, device, threads)  # "done" and the worker, or "error" and why there is none

    def __call__(self, batch: "pyarrow.Table") -> "pyarrow.Table":
        import pyarrow

        return pyarrow.table({"rows": [self._do(task) for task in batch["task"].to_pylist()]})

    def _do(self, packed: str) -> str:
        return json.dumps(self.made if self.made[0] == "error" else guarded(self._rows, packed))

    def _rows(self, packed: str) -> list[dict[str, Any]]:
        return [asdict(row) for row in self.made[1]([Item(**item) for item in json.loads(packed)])]


def _unpack(packed: str) -> list[Row]:
    kind, content = json.loads(packed)
    if kind == "error":
        raise BatchError(content)
    return [Row(**row) for row in content]


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
