"""inspyrenet batch with Ray: two workers on a cluster of this machine, one of which is killed."""

import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from inspyrenet import Remover, cli
from inspyrenet.batch import cluster, job
from inspyrenet.batch.errors import BatchError
from inspyrenet.engine.network_options import NetworkOptions
from tests import fake_worker
from tests.fake_worker import DEADLY, ODD, write_pictures
from tests.tiny_network import picture, write_tiny

IMAGES = 64


@pytest.fixture(scope="module")
def ray():
    """A cluster of two cores, which the batches of this file find running."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "usable_cores", lambda: 2)
        patch.delenv("RAY_ADDRESS", raising=False)
        with cluster.RayExecutor(lambda line: None) as executor:
            assert executor.own and os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
            yield executor


def rows_of(folder: Path) -> list[dict]:
    return pyarrow.parquet.read_table(folder / "manifest.parquet").to_pylist()


class Killer(threading.Thread):
    """Kills a worker in the midst of a portion: one whose mark says that it has begun, and not that it has ended."""

    def __init__(self, out: Path):
        super().__init__(daemon=True)
        self.out, self.killed, self.held = out, 0, []

    def run(self) -> None:
        end = time.monotonic() + 120
        while not self.killed and time.monotonic() < end:
            if len(list(self.out.rglob("*.png"))) < 10:  # both are at work by then
                time.sleep(0.02)
                continue
            for mark in (self.out / "manifest.parts").glob("trying-*"):
                self._try(mark)
                if self.killed:
                    return

    def _try(self, mark: Path) -> None:
        try:
            content = json.loads(mark.read_bytes())
        except (OSError, ValueError):  # its work ended just now
            return
        host, process = content["worker"].rsplit(":", 1)
        if not content["paths"] or host != socket.gethostname():
            return
        os.kill(int(process), signal.SIGSTOP)
        time.sleep(0.05)
        if mark.exists():  # it cannot end any more
            self.killed, self.held = int(process), content["paths"]
            os.kill(int(process), signal.SIGKILL)
        else:
            os.kill(int(process), signal.SIGCONT)


def test_one_of_two_workers_is_killed_and_nothing_is_lost(ray, tmp_path, capsys):
    config, weights = write_tiny(tmp_path / "net")
    for number in range(IMAGES):
        path = tmp_path / "in" / f"s{number % 3}" / f"i{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed=number)).save(path)
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no image")
    out = tmp_path / "out"
    words = ["batch", "-i", f"{tmp_path}/in", "-o", str(out), "-m", str(config), "--ckpt", str(weights)]
    words += ["--executor", "ray", "--workers", "2", "-t", "map", "--shard-size", "10"]
    killer = Killer(out)
    killer.start()
    assert cli.main(words) == 1  # for the bad image alone
    killer.join()
    said = capsys.readouterr().err
    assert "2 workers of 1 thread" in said and "64 done, 1 failed:" in said
    rows = rows_of(out)
    assert Counter(row["status"] for row in rows) == {"done": IMAGES, "failed": 1}
    assert killer.killed and all(row["worker"] for row in rows)
    again = {row["path"] for row in rows if row["attempts"] > 1}
    assert set(killer.held) <= again  # what it had at hand, and at most what it was to have next
    assert len(again) <= 2 * len(killer.held)
    assert not any(row["worker"].endswith(f":{killer.killed}") for row in rows if row["path"] in again)
    remover = Remover(config, "cpu", weights)
    for name in ("s0/i00.png", "s1/i31.png", "s2/i62.png"):
        image = np.asarray(Image.open(tmp_path / "in" / name))
        assert np.abs(np.asarray(Image.open(out / name)).astype(int) - remover.saliency(image)).max() <= 1
    (tmp_path / "in" / "bad.jpg").unlink()
    assert cli.main(words) == 0 and "64 skipped" in capsys.readouterr().err


def test_an_image_that_kills_every_worker_is_given_up(ray, tmp_path, monkeypatch):
    write_pictures(tmp_path / "in", 7, p0035=DEADLY, odd=ODD)
    monkeypatch.setattr(job, "make_worker", fake_worker.make_impatient_worker)
    summary = fake_worker.run(fake_worker.request(tmp_path, executor="ray"))
    assert (summary.done, summary.exit_code) == (7, 1)
    reasons = {Path(path).stem: reason for path, reason in summary.failed}
    assert reasons["odd"] == "KeyError: 'a bug'" and "workers died 1 times" in reasons["p0035"]


def test_workers_that_cannot_start_end_the_batch(ray, tmp_path, monkeypatch):
    write_pictures(tmp_path / "in", 3)
    monkeypatch.setattr(job, "make_worker", fake_worker.make_broken_worker)
    with pytest.raises(BatchError, match="the weights do not fit"):
        fake_worker.run(fake_worker.request(tmp_path, executor="ray"))


def test_workers_that_do_not_fit_are_told(ray, tmp_path):
    write_pictures(tmp_path / "in", 3)
    with pytest.raises(BatchError, match="do not fit on the 2 core"):
        fake_worker.run(fake_worker.request(tmp_path, executor="ray", workers=3))
    with pytest.raises(BatchError, match="the device is auto, cpu or cuda"):
        fake_worker.run(fake_worker.request(tmp_path, executor="ray", network=NetworkOptions(device="cuda:1")))
