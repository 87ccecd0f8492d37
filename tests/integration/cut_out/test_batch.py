"""inspyrenet batch with processes of this machine: everything is done once, whatever dies."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from inspyrenet import Remover, cli
from inspyrenet.batch import job
from inspyrenet.batch.errors import BatchError
from tests import fake_worker
from tests.fake_worker import DEADLY, DEADLY_ONCE, ODD, write_pictures
from tests.tiny_network import picture, write_tiny


def manifest(folder: Path) -> dict[str, dict]:
    """Rows by the image's name."""
    rows = pyarrow.parquet.read_table(folder / "manifest.parquet").to_pylist()
    return {Path(row["path"]).stem: row for row in rows}


def statuses(folder: Path) -> Counter:
    return Counter(row["status"] for row in manifest(folder).values())


def results(folder: Path) -> dict[str, int]:
    """Name of each result → when it was written; without hidden files, which are not finished yet."""
    return {path.stem: path.stat().st_mtime_ns for path in folder.rglob("[!.]*.png")}


# -- with a network -----------------------------------------------------------------------------------------------


def test_the_command_gives_what_the_remover_gives(tmp_path, capsys):
    config, weights = write_tiny(tmp_path / "net")
    for number in range(6):
        path = tmp_path / "in" / f"s{number % 2}" / f"i{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(40 + number, 60, seed=number)).save(path)
    Image.fromarray(picture(30, 30)).save(tmp_path / "in" / "s0" / "i0.png")
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no image")
    words = ["batch", "-i", f"{tmp_path}/in/**/*", "-o", f"{tmp_path}/out", "-m", str(config), "--ckpt", str(weights)]
    words += ["--workers", "1", "--device", "cpu", "--edges", "none", "-t", "white", "--format", "webp"]
    before = {path: path.read_bytes() for path in (tmp_path / "in").rglob("*.*")}
    assert cli.main(words) == 1
    said = capsys.readouterr().err
    assert "1 worker of " in said and "7 done, 1 failed:\n" in said
    assert f"{tmp_path}/in/bad.jpg: not an image of a known kind" in said
    remover = Remover(config, "cpu", weights, edges="none")
    for name in ("s0/i0.jpg.webp", "s1/i3.webp"):
        source = Image.open(tmp_path / "in" / name.removesuffix(".webp").replace("i3", "i3.jpg"))
        wanted = remover.process(np.asarray(source.convert("RGB")), "white")
        assert np.abs(np.asarray(Image.open(tmp_path / "out" / name)).astype(int) - wanted).mean() < 4  # WebP is lossy
    rows = manifest(tmp_path / "out")
    assert len(rows) == 7  # i0.jpg and i0.png have one stem
    assert (rows["bad"]["status"], rows["i5"]["status"], rows["i5"]["height"], rows["i5"]["width"]) == (
        "failed", "done", 45, 60,
    )  # fmt: skip
    assert before == {path: path.read_bytes() for path in (tmp_path / "in").rglob("*.*")}
    (tmp_path / "in" / "bad.jpg").unlink()
    assert cli.main(words) == 0
    assert "7 skipped" in capsys.readouterr().err


# -- without one --------------------------------------------------------------------------------------------------


def test_a_second_run_does_what_is_left(tmp_path):
    write_pictures(tmp_path / "in", 20)
    said = []
    assert fake_worker.run(fake_worker.request(tmp_path), said.append).exit_code == 0
    made = results(tmp_path / "out")
    assert len(made) == 20 and statuses(tmp_path / "out") == {"done": 20}
    (tmp_path / "out" / "p003.png").unlink()
    write_pictures(tmp_path / "in", 0, new=12)
    summary = fake_worker.run(fake_worker.request(tmp_path), said.append)
    assert (summary.done, summary.skipped) == (2, 19)
    now = results(tmp_path / "out")
    assert {name for name in now if now[name] != made.get(name)} == {"p003", "new"}
    assert statuses(tmp_path / "out") == {"done": 21}
    assert "20 images: 0 there already, 20 to do" in said and "21 images: 19 there already, 2 to do" in said
    assert fake_worker.run(fake_worker.request(tmp_path), said.append).done == 0  # and no worker is started


def test_a_lost_manifest_is_made_from_the_results(tmp_path):
    write_pictures(tmp_path / "in", 5)
    fake_worker.run(fake_worker.request(tmp_path))
    (tmp_path / "out" / "manifest.parquet").unlink()
    summary = fake_worker.run(fake_worker.request(tmp_path))
    rows = manifest(tmp_path / "out")
    assert summary.done == 0 and statuses(tmp_path / "out") == {"skipped": 5}
    assert {(row["width"], row["height"], row["seconds"]) for row in rows.values()} == {(12, 8, None)}
    assert all(row["bytes"] and "nothing recorded" in row["message"] for row in rows.values())


def test_overwriting_makes_everything_again(tmp_path):
    write_pictures(tmp_path / "in", 5)
    fake_worker.run(fake_worker.request(tmp_path))
    made = results(tmp_path / "out")
    assert fake_worker.run(fake_worker.request(tmp_path, overwrite=True)).done == 5
    now = results(tmp_path / "out")
    assert all(now[name] > made[name] for name in made)


def test_failures_are_listed_and_tried_again(tmp_path):
    write_pictures(tmp_path / "in", 30, **{f"odd{number:02d}": ODD for number in range(25)})
    for _ in range(2):
        summary = fake_worker.run(fake_worker.request(tmp_path))
        assert (len(summary.failed), summary.exit_code) == (25, 1)
    text = str(summary)
    assert text.count("KeyError") == 20 and "… and 5 more, all in the manifest" in text and "30 skipped" in text
    assert statuses(tmp_path / "out") == {"done": 30, "failed": 25}


def test_a_worker_that_dies_costs_nothing(tmp_path, capsys):
    write_pictures(tmp_path / "in", 40, p0050=DEADLY_ONCE)
    summary = fake_worker.run(fake_worker.request(tmp_path))
    assert capsys.readouterr().err.count("died (SIGKILL); its images are done again") == 1
    assert (summary.done, summary.failed) == (41, [])
    rows = manifest(tmp_path / "out")
    again = [row for row in rows.values() if row["attempts"] == 2]
    assert len(again) == summary.retried == 6  # 41 images in 8 tasks
    assert len(results(tmp_path / "out")) == 41 and (tmp_path / "out" / "died").exists()
    assert not (tmp_path / "out" / "manifest.parts").exists()


def test_an_image_that_kills_every_worker_is_given_up(tmp_path, capsys):
    write_pictures(tmp_path / "in", 7, p0035=DEADLY)
    summary = fake_worker.run(fake_worker.request(tmp_path))
    assert (summary.done, len(summary.failed)) == (7, 1)
    assert "workers died 3 times" in manifest(tmp_path / "out")["p0035"]["message"]
    assert (
        capsys.readouterr().err.count("died (SIGKILL); its images are done again") == 4
    )  # once among others, thrice alone


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (fake_worker.make_broken_worker, "the weights do not fit"),
        (fake_worker.make_dying_worker, "died 3 times before it was ready"),
    ],
)
def test_workers_that_cannot_start_end_the_batch(tmp_path, monkeypatch, make, message):
    write_pictures(tmp_path / "in", 1)
    monkeypatch.setattr(job, "make_worker", make)
    with pytest.raises(BatchError, match=message):
        fake_worker.run(fake_worker.request(tmp_path))
    monkeypatch.undo()
    assert fake_worker.run(fake_worker.request(tmp_path)).done == 1


# -- the command dies ---------------------------------------------------------------------------------------------


def start(folder: Path, workers: int = 2, seconds: float = 0.03) -> subprocess.Popen:
    words = [sys.executable, "-m", "tests.fake_worker", str(folder), str(workers), str(seconds)]
    return subprocess.Popen(words, cwd=Path(__file__).parents[3], stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_a_killed_command_goes_on_where_it_was(tmp_path):
    write_pictures(tmp_path / "in", 100)
    process = start(tmp_path)
    wait_for(lambda: len(list((tmp_path / "out").glob("manifest.parts/part-*"))) >= 3)
    process.kill()
    process.communicate()  # until its workers are gone too: they end what they have at hand
    parts = (tmp_path / "out").glob("manifest.parts/part-*")
    recorded = sum(pyarrow.parquet.read_metadata(part).num_rows for part in parts)
    made = results(tmp_path / "out")
    assert 24 <= recorded <= len(made) < 100
    summary = fake_worker.run(fake_worker.request(tmp_path, threshold=0.03))
    now = results(tmp_path / "out")
    assert summary.skipped == len(made) and summary.done == 100 - len(made)  # nothing that was written is done again
    assert {name for name in made if now[name] != made[name]} == set()
    counts = statuses(tmp_path / "out")
    assert counts == {"done": recorded + summary.done, "skipped": len(made) - recorded}  # found without a row


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_command_leaves_every_row(tmp_path, sign):
    write_pictures(tmp_path / "in", 60)
    process = start(tmp_path)
    wait_for(lambda: len(results(tmp_path / "out")) >= 20)
    os.kill(process.pid, sign)
    said = process.communicate(timeout=30)[1]
    assert "stopped after" in said and "the same command goes on from there" in said
    assert not list((tmp_path / "out" / "manifest.parts").glob("trying-*"))
    summary = fake_worker.run(fake_worker.request(tmp_path, threshold=0.03))
    assert summary.done + summary.skipped == 60 and summary.skipped >= 20
