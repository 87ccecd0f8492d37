"""Which images a batch is about, how they are cut into shards and tasks, and how workers share a machine."""

import os
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, strategies

from inspyrenet.batch.errors import BatchError
from inspyrenet.batch.inputs import TASK, TASKS, Inputs, Item, find_inputs, lay_out, tasks_of
from inspyrenet.batch.layout import Node, lay_out_workers
from inspyrenet.files.request import JobError


@pytest.fixture
def photos(tmp_path):
    """photos/{a.jpg,a.png,one/b.JPG,one/two/c.webp,film.mp4,notes.md}"""
    folder = tmp_path / "photos"
    (folder / "one" / "two").mkdir(parents=True)
    for name in ("a.jpg", "a.png", "one/b.JPG", "one/two/c.webp", "film.mp4", "notes.md"):
        (folder / name).write_bytes(b"x")
    return folder


def names(inputs):
    return [str(path.relative_to(inputs.root)) for path in inputs.images]


def test_a_folder_a_pattern_and_a_list_mean_the_same(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = ["a.jpg", "a.png", "one/b.JPG", "one/two/c.webp"]
    (tmp_path / "list.txt").write_text("\n".join(f"photos/{name}" for name in [*reversed(wanted), wanted[0]]) + "\n \n")
    table = pyarrow.table({"size": [1] * 4, "path": [str(photos / name) for name in wanted]})
    pyarrow.parquet.write_table(table, tmp_path / "list.parquet")
    for source in ("photos", "photos/**/*", str(photos / "**" / "*"), "list.txt", "list.parquet"):
        inputs = find_inputs(source, tmp_path / "out")
        assert (names(inputs), inputs.root) == (wanted, photos), source
    assert find_inputs("photos", tmp_path / "out").videos == 1
    assert find_inputs("list.txt", tmp_path / "out").twice == 1
    assert str(find_inputs("list.txt", tmp_path / "out")) == "4 images, left out: 1 named twice"


def test_a_root_keeps_more_of_the_structure(photos, tmp_path):
    inputs = find_inputs(str(photos / "one" / "*.JPG"), tmp_path / "out", photos)
    assert names(inputs) == ["one/b.JPG"]
    with pytest.raises(BatchError, match=r"a\.jpg does not lie below --root"):
        find_inputs(str(photos / "*.jpg"), tmp_path / "out", photos / "one")


def test_a_root_does_not_move_the_names_of_a_list(photos, tmp_path):
    (photos / "one" / "list.txt").write_text("b.JPG\n")
    (photos / "b.JPG").write_bytes(b"another image of this name")
    inputs = find_inputs(str(photos / "one" / "list.txt"), tmp_path / "out", photos)
    assert names(inputs) == ["one/b.JPG"]


def test_results_among_the_images_are_no_images(photos):
    out = photos / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"x")
    assert "out/a.png" not in names(find_inputs(str(photos), out))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_is_read_as_people_write_it(photos, tmp_path, encoding):
    """With a byte-order mark, comments, quotes, blanks around names and the line ends of any system."""
    (photos / "#1.jpg").write_bytes(b"x")
    (photos / "ä ö.jpg").write_bytes(b"x")
    text = "# chosen by hand\r\n\"a.jpg\"\r\n\t \r\n  one/b.JPG \n'ä ö.jpg'\r#1.jpg\n# a.png\n"
    (photos / "list.txt").write_bytes(text.encode(encoding))
    wanted = ["#1.jpg", "a.jpg", "one/b.JPG", "ä ö.jpg"]
    assert names(find_inputs(str(photos / "list.txt"), tmp_path / "out")) == wanted


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "the list is empty"),
        ("a.txt", b"\xff\xfe\n", "not a text file in UTF-8"),
        ("a.txt", b"\xe4.jpg\n", "not a text file in UTF-8"),
        ("a.parquet", b"x", "not a parquet file"),
        ("a.parquet", b"PAR1" + b"x" * 99 + b"PAR1", "not a parquet file"),
        ("a.txt", b"# none yet\n", "the list is empty"),
        ("a.txt", b"film.mp4\n", "no images, 1 videos"),
    ],
)
def test_a_bad_list_is_told(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BatchError, match=message):
        find_inputs(str(tmp_path / name), tmp_path / "out")


def test_a_table_without_paths_lists_its_columns(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"file": ["a"], "n": [1]}), tmp_path / "a.parquet")
    with pytest.raises(BatchError, match=r"no column path .there is file, n"):
        find_inputs(str(tmp_path / "a.parquet"), tmp_path / "out")


def test_nothing_to_do_is_told(tmp_path):
    with pytest.raises(JobError, match="no image matches"):
        find_inputs(str(tmp_path / "**" / "*.jpg"), tmp_path / "out")


def test_a_name_that_is_no_text_is_kept_apart(photos, tmp_path):
    odd = os.fsdecode(bytes(photos) + b"/\xff.jpg")
    with open(odd, "wb") as file:  # noqa: PTH123
        file.write(b"x")
    inputs = find_inputs(str(photos), tmp_path / "out")
    assert inputs.unnamed == (odd,) and len(inputs.images) == 4


def test_no_two_images_share_a_result(photos, tmp_path):
    items = lay_out(find_inputs(str(photos), tmp_path / "out"), tmp_path / "out", "png", 3)
    outputs = [os.path.relpath(item.output, tmp_path / "out") for item in items]
    assert outputs == ["a.jpg.png", "a.png.png", "one/b.png", "one/two/c.png"]
    assert [item.shard for item in items] == [0, 0, 0, 1]
    assert items == lay_out(find_inputs(str(photos), tmp_path / "out"), tmp_path / "out", "png", 3)


@given(strategies.integers(1, 3000), strategies.integers(1, 40), strategies.integers(1, 500))
def test_tasks_hold_every_image_once_and_in_order(count, workers, largest):
    items = [Item(f"/{number}.jpg", f"/{number}.png") for number in range(count)]
    tasks = tasks_of(items, workers, largest)
    assert [item for task in tasks for item in task] == items
    assert all(0 < len(task) <= largest for task in tasks)
    assert len(tasks) >= min(workers, count)  # nobody is without work


def test_tasks_stay_few_for_millions():
    items = [Item("/a.jpg", "/a.png")] * (TASKS * TASK * 3)
    assert len(tasks_of(items, 2)) == TASKS


def test_the_words_for_inputs():
    assert str(Inputs([], None, videos=2)) == "0 images, left out: 2 videos (inspyrenet p cuts them)"
    named = Inputs([], None, like_results=(Path("a.out.jpg"), Path("b.out.jpg")))
    assert str(named).startswith(
        "0 images, 2 left out, named .out before the format as results are (a.out.jpg, …): rename"
    )


# -- workers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "workers", "threads", "device", "wanted"),
    [
        ([Node(2)], None, None, "auto", (1, 2, 0)),
        ([Node(16)], None, None, "auto", (4, 4, 0)),
        ([Node(2)], 2, None, "cpu", (2, 1, 0)),
        ([Node(2)], 2, 2, "cpu", (2, 2, 0)),
        ([Node(16, 2)], None, None, "auto", (2, 8, 1)),
        ([Node(16, 2)], 4, None, "cuda", (4, 4, 0.5)),
        ([Node(16, 2)], None, None, "cpu", (4, 4, 0)),
        (
            [Node(64), Node(8, 1), Node(8, 1)],
            None,
            None,
            "auto",
            (2, 8, 1),
        ),  # cores of machines without GPU do not count
    ],
)
def test_workers_share_cores_and_gpus(nodes, workers, threads, device, wanted):
    layout = lay_out_workers(nodes, workers, threads, device)
    assert (layout.workers, layout.threads, layout.gpu) == wanted


def test_a_scheduler_gets_workers_that_fit():
    assert lay_out_workers([Node(8), Node(2)], 5, None, "auto", reserve=True).threads == 2
    assert (
        lay_out_workers([Node(6), Node(3)], 4, None, "auto", reserve=True).threads == 2
    )  # not 9 // 4 = 2 for a third on 3
    assert lay_out_workers([Node(3), Node(3)], 3, None, "auto", reserve=True).threads == 1
    with pytest.raises(BatchError, match=r"3 workers of 1 thread.* at most 2"):
        lay_out_workers([Node(2)], 3, None, "auto", reserve=True)


def test_each_local_worker_has_a_gpu():
    layout = lay_out_workers([Node(8, 2)], 3, None, "auto")
    assert [layout.device(place) for place in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert lay_out_workers([Node(8, 2)], 2, None, "cuda:1").device(0) == "cuda:1"
    assert lay_out_workers([Node(8)], 2, None, "auto").device(1) == "auto"


def test_an_absent_gpu_is_told():
    with pytest.raises(BatchError, match="no GPU among 1 machine"):
        lay_out_workers([Node(8)], None, None, "cuda")
