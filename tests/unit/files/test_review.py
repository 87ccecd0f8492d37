"""Doubtful results are set aside: which, where to, and what a stopped or repeated run finds."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from inspyrenet import Mending, cli
from inspyrenet.commands import cut_out
from inspyrenet.files import jobs
from inspyrenet.files.request import Request, parse_request
from inspyrenet.files.review import Review, rule_of
from inspyrenet.files.sources import JobError
from inspyrenet.networks.network import RemoverError
from inspyrenet.remover.image_types import Result

TABLE = {"a": 0.9, "b": 0.2, "c": 0.5, "d": 0.7, "e": 0.95}


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [
        ("10%", "b"),
        ("20%", "b"),
        ("21%", "bc"),
        ("100%", "abcde"),
        ("2", "bc"),
        ("9", "abcde"),
        ("0.7", "bc"),
        ("0.1", ""),
    ],
)
def test_which_results_are_doubtful(text, doubtful):
    assert rule_of(text)(TABLE) == set(doubtful)


@pytest.mark.parametrize("text", ["0", "0%", "101%", "1.0", "-3", "2.5", "<0.8", "worst", "", "nan", "inf%"])
def test_a_wrong_rule_says_what_there_is(text):
    with pytest.raises(JobError, match=r"a share \(10%\), a number of images \(25\) or a quality"):
        rule_of(text)


# -- a folder of results ------------------------------------------------------------------------------------------


@pytest.fixture
def review(tmp_path):
    """Five results, one of them in a sub-folder with an awkward name."""
    review = Review(tmp_path / "out", rule_of("40%"))
    for name, quality in {"a.png": 0.9, 'sub/b, "1".png': 0.2, "c.png": 0.5, "d.png": 0.7, "e.png": 0.95}.items():
        target = review.output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        review.note(target, quality)
        target.write_bytes(name.encode())
    return review


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}


def test_the_doubtful_ones_move_and_the_table_lists_all(review):
    told = review.sort()
    assert names(review.folder) == {'sub/b, "1".png', "c.png"}
    assert names(review.output) - {f"review/{name}" for name in names(review.folder)} == {"a.png", "d.png", "e.png"}
    assert review.table.read_text().splitlines()[:3] == ["name,quality", '"sub/b, ""1"".png",0.2000', "c.png,0.5000"]
    assert told.startswith("2 of 5 are to be looked at (quality 0.50 and less)")


def test_another_rule_moves_them_back(review):
    review.sort()
    Review(review.output, rule_of("0.1")).sort()
    assert names(review.folder) == set() and len(names(review.output)) == 5
    assert (review.output / "c.png").read_bytes() == b"c.png"


def test_nothing_is_replaced(review):
    (review.folder / "c.png").write_bytes(b"retouched")
    review.sort()
    assert (review.folder / "c.png").read_bytes() == b"retouched" and (review.output / "c.png").read_bytes() == b"c.png"


def test_results_that_are_gone_do_not_count(review):
    (review.output / 'sub/b, "1".png').unlink()
    assert review.sort().startswith("2 of 4")
    assert names(review.folder) == {"c.png", "d.png"}


def test_a_line_that_was_cut_short_is_left_out(review):
    with review.table.open("ab") as file:
        file.write(b"f.png,0.")
    assert "f.png" not in review.read()
    review.begin(again=False)
    review.note(review.output / "g.png", 0.4)
    assert review.read()["g.png"] == 0.4 and len(review.read()) == 6


def test_a_table_of_something_else_is_left_alone(tmp_path):
    review = Review(tmp_path, rule_of("10%"))
    review.folder.mkdir()
    review.table.write_text("title,stars\nJaws,5")
    assert not review.began()
    with pytest.raises(JobError, match="is no table of this command"):
        review.begin(again=False)
    assert review.table.read_text() == "title,stars\nJaws,5"


# -- a whole run --------------------------------------------------------------------------------------------------


class Remover:
    """Maps and qualities by the value of an image: 0.1 for 1, 0.2 for 2."""

    batch_size = 1

    def __init__(self, stop_at=None, blind=False):
        self.stop_at, self.blind, self.seen = stop_at, blind, []

    def predict(self, images, levels, prompt=None):
        value = int(images[0].array[0, 0, 0])
        self.seen.append(value)
        if value == self.stop_at:
            raise KeyboardInterrupt
        return [images[0].array[..., 0]]

    def finish(self, image, maps, *look):
        return Result(maps, quality=None if self.blind else int(maps[0, 0]) / 10)


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "in").mkdir()
    for value in range(1, 6):
        Image.fromarray(np.full((4, 6, 3), value, np.uint8)).save(tmp_path / "in" / f"{value}.png")
    return tmp_path / "in"


def run(photos, remover, rule="40%", **options):
    """As the command does; what it says of the review, and the names in both places."""
    work = parse_request(Request(str(photos), str(photos.parent / "out"), "map", review=rule, **options))
    jobs.run_jobs(work, remover)
    told = work.review.sort(job.target for job in work.skipped) if work.review else ""
    out = photos.parent / "out"
    return told, sorted(path.name for path in out.glob("*.png")), sorted(path.name for path in out.glob("review/*.png"))


def test_a_run_sets_aside_and_the_next_one_skips_both_places(photos):
    first, second = Remover(), Remover()
    told, good, doubtful = run(photos, first)
    assert (good, doubtful) == (["3.png", "4.png", "5.png"], ["1.png", "2.png"]) and "2 of 5" in told
    assert run(photos, second)[1:] == (good, doubtful) and second.seen == []
    assert run(photos, second, rule=None)[1:] == (good, doubtful) and second.seen == []  # also without --review


def test_a_run_that_was_stopped_is_sorted_by_the_next_one(photos):
    with pytest.raises(KeyboardInterrupt):
        run(photos, Remover(stop_at=4))
    assert sorted(path.name for path in (photos.parent / "out").glob("*.png")) == ["1.png", "2.png", "3.png"]
    remover = Remover()
    assert run(photos, remover)[1:] == (["3.png", "4.png", "5.png"], ["1.png", "2.png"])
    assert remover.seen == [4, 5]


def test_results_from_before_stay_and_are_told(photos):
    run(photos, Remover(), rule=None)
    told, good, doubtful = run(photos, Remover())
    assert len(good) == 5 and not doubtful and "no result of known quality" in told
    assert "5 of unknown quality stay (--overwrite makes them again)" in told


def test_overwriting_leaves_no_result_twice(photos):
    run(photos, Remover())
    remover = Remover()
    assert run(photos, remover, rule="1", overwrite=True)[1:] == (["2.png", "3.png", "4.png", "5.png"], ["1.png"])
    assert len(remover.seen) == 5


def test_a_quality_goes_with_its_result(photos):
    run(photos, Remover())
    run(photos, Remover(blind=True), rule=None, overwrite=True)
    told, good, doubtful = run(photos, Remover())
    assert len(good) == 5 and not doubtful and "5 of unknown quality stay" in told


def test_the_quality_is_told_for_each_image(photos):
    said = []
    jobs.run_jobs(parse_request(Request(str(photos), str(photos.parent / "out"), "map")), Remover(), say=said.append)
    assert len(said) == 5 and said[0].endswith("quality 0.10, likely wrong")


def _no_estimate():
    raise RemoverError("there is no estimate of quality")


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_a_network_without_an_estimate_is_refused_before_anything_is_done(photos, monkeypatch, capsys, more):
    _, good, doubtful = run(photos, Remover())
    table = (photos.parent / "out" / "review" / "review.csv").read_bytes()
    monkeypatch.setattr(cut_out, "load", lambda options: SimpleNamespace(check_quality=_no_estimate))
    command = ["p", str(photos), str(photos.parent / "out"), "-om", "--review", "1", *more]
    assert cli.main(command) == 1 and "there is no estimate of quality" in capsys.readouterr().err
    assert (photos.parent / "out" / "review" / "review.csv").read_bytes() == table
    monkeypatch.undo()
    assert run(photos, Remover())[1:] == (good, doubtful)


def test_what_has_no_folder_of_results_is_refused(photos):
    for source, dest, way in [
        (str(photos / "1.png"), str(photos.parent / "out") + "/", "-v tells the quality of one"),
        (str(photos / "*.png"), None, "name an output folder"),
        ([str(photos / "1.png"), str(photos / "2.png")], None, "name an output folder"),
    ]:
        with pytest.raises(JobError, match=way):
            parse_request(Request(source, dest, review="10%"))


def test_files_of_single_objects_are_not_sorted(photos):
    with pytest.raises(JobError, match="leave out --object or --review"):
        run(photos, Remover(), mending=Mending(object="all"))


def test_images_in_a_folder_of_that_name_are_refused(photos):
    (photos / "review").mkdir()
    (photos / "1.png").rename(photos / "review" / "1.png")
    with pytest.raises(JobError, match="where doubtful results go: rename its folder"):
        parse_request(Request(str(photos), str(photos.parent / "out"), review="10%"))
