"""Mending from the command line to files, rows and videos, with a network that sees brightness."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inspyrenet import Mending, cli
from inspyrenet.batch import job, manifest
from inspyrenet.batch.inputs import Item
from inspyrenet.batch.worker import Settings, Worker
from inspyrenet.commands import cut_out
from inspyrenet.remover.compositing import mended_style, style_of
from inspyrenet.remover.output_paths import is_result
from inspyrenet.video.process import FrameOptions, _network
from tests.bright_network import bright_remover, painted
from tests.fake_worker import NETWORK

LARGE, SMALL = (5, 10, 30, 30), (50, 20, 20, 20)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of pictures, which is the current one; every command has the network that sees brightness."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cut_out, "load", lambda options: bright_remover())
    Path("in").mkdir()
    for name, boxes in (("two", (LARGE, SMALL)), ("one", (SMALL,)), ("none", ())):
        Image.fromarray(painted(*boxes)).save(f"in/{name}.png")
    return tmp_path


def size_of(path):
    return Image.open(path).size


def files(folder="."):
    return sorted(path.name for path in Path(folder).iterdir() if path.is_file())


def test_an_image_without_an_object_does_not_end_the_others(photos, capsys):
    assert cli.main(["p", "in", "cut", "--crop=2", "-v"]) == 1
    error = capsys.readouterr().err
    assert "in/none.png: nothing was found in this image, so there is nothing to crop to" in error
    assert "1 failed" in error and "Traceback" not in error
    assert "; object at 5,10,65,30" in error and "; object at 50,20,20,20" in error
    assert files("cut") == ["one.png", "two.png"]
    assert size_of("cut/one.png") == (24, 24) and size_of("cut/two.png") == (69, 34)


def test_every_object_gets_a_file_of_its_own(photos, capsys):
    assert cli.main(["in/two.png", "--object", "all", "--crop", "-v"]) == 0
    assert "object at 5,10,30,30 and 50,20,20,20" in capsys.readouterr().err
    made = ["two.out.1.png", "two.out.2.png", "two.out.png"]
    assert files("in") == [".two.out.objects", "none.png", "one.png", *made, "two.png"]
    assert [size_of(f"in/two.out{part}.png") for part in ("", ".1", ".2")] == [(65, 30), (30, 30), (20, 20)]
    assert is_result(Path("in/two.out.2.png")) and not is_result(Path("in/two.2.png"))
    assert cli.main(["p", "in", "in", "--object", "all", "-om"]) == 0  # results are no inputs
    assert "two.out.1.out.png" not in files("in")


@pytest.mark.parametrize("words", [["p", "in/*.png"], ["p", "in/*.png", "--overwrite"], ["in/two.png"]])
@pytest.mark.parametrize("made", [False, True])  # the photograph came after a result
def test_the_file_of_an_object_replaces_no_photograph(photos, capsys, words, made):
    if made:
        assert cli.main(["p", "in/*.png"]) == 0
    photograph, result = Path("in/two.out.1.png"), Path("in/two.out.png")
    photograph.write_bytes(b"a photograph")
    before = result.read_bytes() if made else None
    code = cli.main([*words, "--object", "all"])
    if not made or words[-1] != "in/*.png":  # what is there is not made again
        assert (
            code == 1 and f"{photograph}: an object's own file would replace it: rename it" in capsys.readouterr().err
        )
    assert photograph.read_bytes() == b"a photograph" and not Path("in/two.out.2.png").exists()
    assert (result.read_bytes() if result.exists() else None) == before


def test_the_file_of_an_object_replaces_no_input(photos, capsys):
    Path("in/two.png").rename("in/two.out.1.png")
    assert cli.main(["i", "in/two.out.1.png", "in/two.png", "--object", "all", "--overwrite"]) == 1
    assert "an object's own file would replace this input" in capsys.readouterr().err and len(files("in")) == 3


def test_objects_are_made_again_where_results_are_there(photos):
    notes = {".one.out.objects", ".two.out.objects"}
    made = {"none.out.png", "one.out.png", "one.out.1.png", "two.out.png", "two.out.1.png", "two.out.2.png"}
    for more in ([], ["--overwrite"], ["--overwrite", "--shrink", "2"], ["--overwrite", "--object", "2"]):
        assert cli.main(["p", "in/*.png", "--object", "all", *more]) == 0
        assert set(files("in")) == made | notes | {"none.png", "one.png", "two.png"}


def test_objects_of_fewer_objects_stay_ours(photos):
    for picture, found in ((painted(LARGE, SMALL), 2), (painted(LARGE), 1), (painted(LARGE, SMALL), 2)):
        Image.fromarray(picture).save("in/two.png")
        assert cli.main(["in/two.png", "--object", "all", "--grow", str(found)]) == 0


def test_the_largest_object_alone(photos):
    assert cli.main(["i", "in/two.png", "out.png", "-om", "--object", "largest"]) == 0
    assert files() == ["out.png"] and np.argwhere(np.asarray(Image.open("out.png"))).max(0).tolist() == [39, 34]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["i", "in/two.png", "-", "--object", "all"], "object all writes several files, which do not go through pipes"),
        (["in/two.png", "--grow", "nan"], "grow is a number of pixels from 0 to 100"),
        (["in/two.png", "--size", "0x5"], "size is width x height"),
        (["--crop", "in/two.png"], "the margin of crop is"),
        (["p", "in", "out", "-t", "blur", "--shadow"], "a shadow falls on rgba"),
        (["in/two.png", "-t", "debug", "--clean"], "type debug shows what the network says, which nothing mends"),
        (["in/two.png", "-t", "debug", "--reverse"], "type debug shows what the network says, which nothing reverses"),
        (["in/two.png", "-t", "debug", "--keep", "9,9"], "leave the prompt or the type out"),
        (["in/two.png", "in/one.png", "-o", "out", "--keep", "9,9"], "belong to one image: name one image file"),
        (["p", "in", "out", "--object", "2", "--review", "1"], "leave out --object or --review"),
        (["clip.mp4", "--crop", "--object", "all"], "object, crop: for images alone; clip.mp4 is a video"),
    ],
)
def test_a_wrong_command_does_nothing(photos, capsys, words, said):
    Path("clip.mp4").write_bytes(b"")
    assert cli.main(words) == 1
    assert said in capsys.readouterr().err
    assert files() == ["clip.mp4"] and files("in") == ["none.png", "one.png", "two.png"]


def test_python_gets_a_list_of_objects_and_their_files(photos):
    image = painted(LARGE, SMALL)
    found = bright_remover().process(image, "map", output="cut.png", mending=Mending(object=2))
    assert [np.count_nonzero(one) for one in found] == [900, 400]
    assert files() == [".cut.objects", "cut.out.1.png", "cut.out.2.png", "cut.png"]
    result = bright_remover().cut(image, mending=Mending(object="all"))
    assert result.bbox == (5, 10, 65, 30) and [one.bbox for one in result.objects] == [LARGE, SMALL]
    (both, neither) = bright_remover().process_batch([image, painted()], mending=Mending(object="all"))
    assert len(both) == 2 and neither == []


def test_an_object_that_shrinks_to_nothing_is_none():
    (one,) = bright_remover().process(painted(LARGE, SMALL), mending=Mending(object="all", shrink=12, crop=0))
    assert one.shape == (6, 6, 4)


@pytest.mark.parametrize("crop", [None, 0])
def test_what_is_transparent_is_no_object(crop):
    image = np.dstack([painted(LARGE, SMALL), painted(LARGE)[..., 0]])
    found = bright_remover().process(image, mending=Mending(object="all", crop=crop))
    assert [np.count_nonzero(one[..., 3]) for one in found] == [900]


def test_the_levels_of_the_network_have_the_box_of_the_object():
    assert bright_remover().cut(painted(LARGE), "debug").bbox == LARGE


def test_the_order_of_the_steps():
    image = painted(LARGE, SMALL, value=150)
    image[20:25, 36:40] = 100  # soft: the threshold takes it away before the edge moves
    alpha = bright_remover().process(image, "map", 0.5, mending=Mending(object="largest", grow=2, feather=2))
    assert alpha[25, 20] == 255 and alpha[25, 60] == 0
    assert 60 < alpha[25, 36] < 200 and alpha[25, 40] == 0


def test_a_row_has_the_boxes(photos):
    style = mended_style(style_of("map"), Mending(object="all"), False)
    settings = Settings(NETWORK, style, "png", str(photos / "marks"), 0)
    Path("marks").mkdir()
    items = [Item(str(photos / "in" / f"{name}.png"), str(photos / "out" / f"{name}.png")) for name in ("two", "none")]
    two, none = Worker(settings, "one", lambda _: bright_remover())(items)
    assert two.bbox == (5, 10, 65, 30) and two.objects == [LARGE, SMALL]
    assert none.status == manifest.DONE and none.bbox is None and none.objects is None
    assert files("out") == [".two.objects", "none.png", "two.out.1.png", "two.out.2.png", "two.png"]
    manifest.write_table(manifest.table_of([two, none]), Path("rows.parquet"), {})
    rows = manifest.read_table(Path("rows.parquet"))[0].to_pylist()
    assert [row["bbox"] for row in rows] == [[5, 10, 65, 30], None]
    assert [row["objects"] for row in rows] == [[[*LARGE], [*SMALL]], None]


def test_a_manifest_from_before_has_no_boxes(tmp_path):
    old = manifest.table_of([manifest.Row("a", "b", manifest.DONE)]).drop_columns(["bbox", "objects"])
    manifest.write_table(old, tmp_path / "old.parquet", {})
    (row,) = manifest.read_table(tmp_path / "old.parquet")[0].to_pylist()
    assert row["path"] == "a" and row["bbox"] is None and row["objects"] is None


def test_a_batch_remembers_how_it_mended(tmp_path):
    request = job.BatchRequest("in", str(tmp_path), mending=Mending(grow=2, feather=3), threshold=0.5)
    output = job._check(request)
    assert output.style.mending == request.mending and output.edges == "multilevel"
    words = job._made_with(request, output, NETWORK)
    assert (words["grow"], words["feather"]) == (2, 3) and "clean" not in words


def test_the_pictures_of_a_video_are_mended():
    options = FrameOptions(mended_style(style_of("map"), Mending(grow=3), False))
    (result,) = _network(bright_remover(), options)([painted(SMALL)])
    assert np.argwhere(result).min(0).tolist() == [17, 47]
