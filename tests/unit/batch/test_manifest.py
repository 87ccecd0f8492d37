"""The manifest on disk, and what a second run finds done."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from inspyrenet.batch.errors import BatchError
from inspyrenet.batch.inputs import Item
from inspyrenet.batch.manifest import DONE, FAILED, SKIPPED, Journal, Manifest, Row, merge_rows, read_table, table_of
from inspyrenet.batch.resume import plan_resume, without_replaced
from inspyrenet.data.images.encode import encode

MADE_WITH = {"type": "map", "weights": "abc"}


def row(name, **changes):
    whole = Row(f"/in/{name}.jpg", f"/out/{name}.png", DONE, width=4, height=3, bytes=9, seconds=0.5, finished=1.5)
    return replace(whole, **changes)


def paths(table):
    return table["path"].to_pylist()


@pytest.fixture
def manifest(tmp_path):
    return Manifest(tmp_path / "out" / "manifest.parquet")


def again(manifest, **options):
    """As another process after this one was killed."""
    os.close(manifest._lock)
    other = Manifest(manifest.file)
    return other, other.open(MADE_WITH, **options)


# -- the file -----------------------------------------------------------------------------------------------------


def test_rows_come_back_as_they_were(manifest):
    manifest.open(MADE_WITH)
    rows = [row("b", status=FAILED, message="für Ärger", width=None), row("a", source_mtime_ns=2**60, fatal=True)]
    manifest.save(merge_rows([table_of(rows)]))
    first, second = pyarrow.parquet.read_table(manifest.file).to_pylist()
    assert (first["path"], first["source_mtime_ns"], first["seconds"]) == ("/in/a.jpg", 2**60, 0.5)
    assert first["finished"].timestamp() == 1.5
    assert (second["status"], second["message"], second["width"]) == ("failed", "für Ärger", None)
    assert "fatal" not in first


def test_a_manifest_from_before_there_was_a_quality_is_taken_up(manifest):
    manifest.open(MADE_WITH)
    manifest.save(table_of([row("a", quality=0.75), row("b")]))
    assert read_table(manifest.file)[0]["quality"].to_pylist() == [0.75, None]
    old = pyarrow.parquet.read_table(manifest.file).drop_columns("quality")
    pyarrow.parquet.write_table(old, manifest.file)
    table = again(manifest)[1]
    assert paths(table) == ["/in/a.jpg", "/in/b.jpg"] and table["quality"].to_pylist() == [None, None]


def test_the_last_word_on_an_image_counts():
    table = merge_rows([table_of([row("a", status=FAILED), row("b")]), table_of([row("c"), row("a", attempts=2)])])
    assert paths(table) == ["/in/a.jpg", "/in/b.jpg", "/in/c.jpg"]
    assert table["status"].to_pylist() == [DONE] * 3 and table["attempts"].to_pylist() == [2, 1, 1]
    assert merge_rows([]).num_rows == 0


def test_a_shard_is_written_when_its_last_row_is_in(manifest):
    manifest.open(MADE_WITH)
    journal = Journal(manifest, {0: 2, 12: 1})
    journal.add([row("a")])
    assert list(manifest.folder.glob("part-*")) == []
    journal.add([row("a", attempts=2), row("c", shard=12)])  # the same image twice is not two images
    assert [part.name for part in manifest.folder.glob("part-*")] == ["part-00012.parquet"]
    journal.add([row("b")])
    assert paths(read_table(manifest.folder / "part-00000.parquet")[0]) == ["/in/a.jpg", "/in/b.jpg"]


def test_a_kill_costs_the_rows_of_unfinished_shards_only(manifest):
    manifest.open(MADE_WITH)
    Journal(manifest, {0: 1, 1: 2}).add([row("a"), row("b", shard=1)])
    other, table = again(manifest)
    assert paths(table) == ["/in/a.jpg"]
    Journal(other, {0: 5}).flush()
    assert paths(other.finish()) == ["/in/a.jpg"]
    assert [path.name for path in manifest.file.parent.iterdir()] == ["manifest.parquet"]


def test_a_stop_costs_nothing(manifest):
    manifest.open(MADE_WITH)
    journal = Journal(manifest, {0: 2})
    journal.add([row("a")])
    journal.flush()
    assert paths(again(manifest)[1]) == ["/in/a.jpg"]


def test_a_torn_write_leaves_the_old_file(manifest, monkeypatch):
    manifest.open(MADE_WITH)
    manifest.save(table_of([row("a")]))

    def fail(table, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pyarrow.parquet, "write_table", fail)
    with pytest.raises(OSError, match=r"cannot write .*manifest\.parquet .No space left"):
        manifest.save(table_of([row("b")]))
    assert paths(read_table(manifest.file)[0]) == ["/in/a.jpg"]
    assert not list(manifest.file.parent.glob(".*"))


def test_two_at_once_are_refused(manifest):
    manifest.open(MADE_WITH)
    with pytest.raises(BatchError, match="another inspyrenet batch is at work"):
        Manifest(manifest.file).open(MADE_WITH)
    manifest.finish()
    Manifest(manifest.file).open(MADE_WITH)


def test_a_killed_process_leaves_no_lock(manifest):
    code = (
        "import os, sys, signal; from pathlib import Path; from inspyrenet.batch.manifest import Manifest;"
        "Manifest(Path(sys.argv[1])).open({'type': 'map', 'weights': 'abc'}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(manifest.file)]).returncode == -9
    assert manifest.folder.is_dir()
    manifest.open(MADE_WITH)


@pytest.mark.parametrize("finished", [True, False])
def test_results_of_other_settings_are_not_mixed(manifest, finished):
    manifest.open(MADE_WITH)
    manifest.add_part(0, [row("a")])
    if finished:
        manifest.finish()
    else:
        os.close(manifest._lock)
    other = Manifest(manifest.file)
    with pytest.raises(BatchError, match=r"made with type map .now rgba.: ask for the same.*--overwrite"):
        other.open({**MADE_WITH, "type": "rgba"})
    other.close()
    assert manifest.folder.exists() is not finished
    assert Manifest(manifest.file).open({**MADE_WITH, "type": "rgba"}, overwrite=True).num_rows == 0


def test_overwriting_is_remembered_until_its_end(manifest):
    manifest.open(MADE_WITH)
    assert manifest.since is None
    manifest.finish()
    manifest.open(MADE_WITH, overwrite=True)
    since = manifest.since
    other = again(manifest)[0]
    assert other.since == since is not None
    other.finish()
    other.open(MADE_WITH)
    assert other.since is None


def test_other_files_are_left_alone(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"path": ["a"]}), tmp_path / "mine.parquet")
    with pytest.raises(BatchError, match="no manifest of this command"):
        Manifest(tmp_path / "mine.parquet").open(MADE_WITH)
    with pytest.raises(BatchError, match=r"a parquet file, not a\.csv"):
        Manifest(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"\xff\xfe", b"[]", b"{}", b'{"made_with": 1, "overwrite": false}', b"[" * 100_000]
)
def test_garbage_in_the_notes_of_a_run_is_named_with_the_way_on(manifest, content):
    manifest.open(MADE_WITH)
    manifest.save(table_of([row("a")]))
    (manifest.folder / "run.json").write_bytes(content)
    with pytest.raises(BatchError, match=r"run\.json is damaged: remove it, .* or .*--overwrite") as caught:
        again(manifest)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("way", ["remove", "overwrite"])
def test_the_ways_on_from_garbage_lead_on(manifest, way):
    manifest.open(MADE_WITH)
    manifest.save(table_of([row("a")]))
    (manifest.folder / "run.json").write_bytes(b"garbage")
    if way == "remove":
        (manifest.folder / "run.json").unlink()
    assert again(manifest, overwrite=way == "overwrite")[1].num_rows == (way == "remove")


@pytest.mark.parametrize("file", ["manifest.parquet", "manifest.parts/part-00000.parquet"])
@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: b"x" * 99, lambda d: d[:-9], lambda d: d[:40] + d[60:]])
def test_a_damaged_manifest_is_named_with_the_way_on(manifest, file, damage):
    manifest.open(MADE_WITH)
    manifest.save(table_of([row("a")]))
    manifest.add_part(0, [row("b")])
    path = manifest.file.parent / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BatchError, match=rf"{path.name} is .*: remove it, and .* found again") as caught:
        again(manifest)
    assert "\n" not in str(caught.value)


def test_another_table_is_no_manifest(tmp_path):
    for number, changes in enumerate([{"path": [None]}, {"path": [[1]]}, {}]):
        columns = {name: table_of([row("a")])[name] for name in table_of([]).column_names} | changes
        table = pyarrow.table(columns)
        if changes:
            table = table.replace_schema_metadata({"inspyrenet.batch": "{}"})
        pyarrow.parquet.write_table(table, tmp_path / f"{number}.parquet")
        with pytest.raises(BatchError, match="no manifest of this command: remove it"):
            read_table(tmp_path / f"{number}.parquet")


# -- what is left to do -------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path):
    """Images a and b, of which a has a result."""
    for name in ("in/a.jpg", "in/b.jpg", "out/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
        if name.endswith(".png"):
            (tmp_path / name).write_bytes(encode(np.zeros((3, 4), np.uint8)))
        os.utime(tmp_path / name, ns=(10**9, 10**9))
    return tmp_path


def item(place, name="a", output=None):
    return Item(str(place / "in" / f"{name}.jpg"), str(place / "out" / f"{output or name}.png"))


def recorded(place, name="a", output=None, **changes):
    one = item(place, name, output)
    words = {"status": DONE, "source_bytes": 1, "source_mtime_ns": 10**9} | changes
    return table_of([Row(one.path, one.output, **words)])


def todo(place, table=None, since=None, names="ab"):
    state = plan_resume([item(place, name) for name in names], table or table_of([]), since)
    return "".join(one.path[-5] for one in state.todo), [(found.path[-5], found.status) for found in state.found]


def test_results_are_found_with_and_without_a_row(place):
    assert todo(place) == ("b", [("a", SKIPPED)])
    assert todo(place, recorded(place)) == ("b", [])


def test_a_row_without_its_result_counts_nothing(place):
    assert todo(place, recorded(place, "b"))[0] == "b"
    (place / "out" / "a.png").write_bytes(b"")
    assert todo(place, recorded(place))[0] == "ab"


@pytest.mark.parametrize("left", [1, 20, 60])
def test_a_result_that_was_cut_short_is_made_again(place, left):
    """By its row's size; without a row, where it does not even begin as a picture does."""
    result = place / "out" / "a.png"
    size = result.stat().st_size
    assert size > left and todo(place, recorded(place, bytes=size))[0] == "b"
    result.write_bytes(result.read_bytes()[:left])
    assert todo(place, recorded(place, bytes=size))[0] == "ab"
    assert todo(place)[0] == ("ab" if left < 24 else "b")  # a PNG's size ends at its 24th byte


def test_an_image_that_changed_is_done_again(place):
    assert todo(place, recorded(place, source_bytes=2))[0] == "ab"
    assert todo(place, recorded(place, source_mtime_ns=1))[0] == "ab"
    os.utime(place / "in" / "a.jpg", ns=(2 * 10**9, 2 * 10**9))
    assert todo(place)[0] == "ab"  # the result is older than the image


def test_what_is_there_of_an_image_that_failed_is_of_an_earlier_run(place):
    """Its image may be as the row says, or never have been reached."""
    assert todo(place, recorded(place, status=FAILED)) == ("ab", [])
    assert todo(place, recorded(place, status=FAILED, source_bytes=None, source_mtime_ns=None)) == ("ab", [])


def test_results_from_before_an_overwriting_run_do_not_count(place):
    assert todo(place, since=10**9)[0] == "b"
    assert todo(place, since=10**9 + 1)[0] == "ab"


def test_a_missing_image_is_tried_so_that_it_fails(place):
    assert todo(place, names="az")[0] == "z"


def test_a_result_of_another_image_is_not_taken_for_ones_own(place):
    foreign = recorded(place, "gone", "a")
    assert todo(place, foreign) == ("ab", [])
    kept = without_replaced(merge_rows([foreign, recorded(place, "b")]), [item(place), item(place, "b")])
    assert paths(kept) == [item(place, "b").path]


def test_a_result_of_another_run_is_not_replaced(place):
    (place / "in" / "c.jpg").write_bytes(b"x")
    with pytest.raises(BatchError, match=r"a\.png was made from .*c\.jpg, and would be replaced"):
        todo(place, recorded(place, "c", "a"))


def test_many_results_are_looked_at_in_slices(place, monkeypatch):
    monkeypatch.setattr("inspyrenet.batch.resume.SLICE", 3)
    items = [item(place, "a")] + [item(place, f"n{number}") for number in range(10)]
    state = plan_resume(items, table_of([]))
    assert state.todo == items[1:] and state.finished == 1


def test_rows_outlive_a_write_that_fails(manifest):
    manifest.open(MADE_WITH)
    journal = Journal(manifest, {0: 1, 1: 2})
    write = manifest.add_part
    manifest.add_part = lambda shard, rows: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        journal.add([row("a")])
    manifest.add_part = write
    journal.add([row("b", shard=1)])
    journal.flush()
    assert paths(again(manifest)[1]) == ["/in/a.jpg", "/in/b.jpg"]
