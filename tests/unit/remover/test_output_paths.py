"""Names of results: no two results share a file, no result replaces an input."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspyrenet.remover.output_paths import is_result, object_path, plan, plan_beside

NAMES = st.sampled_from(
    [
        "a.jpg",
        "a.png",
        "A.JPG",
        "a.jpg.png",
        "a.out.png",
        "a.out.1.jpg",
        "a.OUT.1.png",
        "a.out.out.1.png",
        "b.webp",
        "sub/a.jpg",
        "sub/a.out.1.png",
        "sub/b.c.jpg",
    ]
)


def targets(*names, root="in", dest="out", form="png"):
    sources = [Path(root, name) for name in names]
    return [str(job.target) for job in plan(sources, Path(root), Path(dest), form)]


def test_sub_folders_are_kept():
    assert targets("a.jpg", "sub/a.jpg", "sub/deep/b.webp") == ["out/a.png", "out/sub/a.png", "out/sub/deep/b.png"]


def test_images_that_differ_in_suffix_only_keep_it():
    assert targets("a.jpg", "a.png", "b.jpg") == ["out/a.jpg.png", "out/a.png.png", "out/b.png"]


def test_names_that_a_file_system_may_take_for_the_same_stay_apart():
    assert targets("a.jpg", "A.png") == ["out/a.jpg.png", "out/A.png.png"]


def test_results_among_the_images_are_marked():
    assert targets("a.png", "b.jpg", "sub/c.jpg", dest="in") == ["in/a.out.png", "in/b.out.png", "in/sub/c.out.png"]
    assert targets("a.png", "a.jpg", dest="in") == ["in/a.png.out.png", "in/a.jpg.out.png"]
    assert targets("in/a.png", dest=".") == ["in/a.out.png"]


def test_results_below_the_images_are_not_marked():
    assert targets("a.png", dest="in/cut") == ["in/cut/a.png"]


def test_another_format():
    assert targets("a.png", form="webp") == ["out/a.webp"]


@settings(max_examples=100)
@given(
    st.lists(NAMES, unique=True, min_size=1), st.sampled_from(["in", "out", "in/sub"]), st.sampled_from(["png", "jpg"])
)
def test_results_never_meet_each_other_or_an_input(names, dest, form):
    found = targets(*names, dest=dest, form=form)
    inputs = {str(Path("in", name)).casefold() for name in names}
    every = [path for target in found for path in (Path(target), object_path(Path(target), 1))]  # as --object writes
    folded = [str(path).casefold() for path in every]
    assert len(set(folded)) == 2 * len(names) and not set(folded) & inputs
    assert found == targets(*names, dest=dest, form=form)


def beside(folder, *names, forms=("png", "webm")):
    return [job.target.name for job in plan_beside([folder / name for name in names], forms)]


def test_beside_an_image_a_twin_makes_the_name_longer(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert beside(tmp_path, "a.jpg") == ["a.out.png"]
    (tmp_path / "A.png").touch()  # the same name on some file systems
    assert beside(tmp_path, "a.jpg") == ["a.jpg.out.png"]
    assert beside(tmp_path, "A.png") == ["A.png.out.png"]


def test_beside_them_a_video_is_the_twin_of_an_image_where_both_give_one_format(tmp_path):
    for name in ("a.jpg", "a.mp4"):
        (tmp_path / name).touch()
    assert beside(tmp_path, "a.jpg", "a.mp4") == ["a.out.png", "a.out.webm"]
    assert beside(tmp_path, "a.jpg", "a.mp4", forms=("webp", "webp")) == ["a.jpg.out.webp", "a.mp4.out.webp"]


def test_beside_them_a_name_with_two_suffixes_leaves_the_longer_name_to_its_twin(tmp_path):
    for name in ("a.jpg", "a.png", "a.jpg.png"):
        (tmp_path / name).touch()
    assert beside(tmp_path, "a.jpg", "a.jpg.png") == ["a.jpg.out.png", "a.jpg.png.out.png"]


def test_beside_them_all_sources_of_a_request_keep_apart(tmp_path):
    for name in ("photo", "photo.jpg", "scan.dat", "scan.bin", "shot.out.jpg", "shot.out.png"):
        (tmp_path / name).touch()
    assert beside(tmp_path, "photo", "photo.jpg") == ["photo.out.png", "photo.jpg.out.png"]
    assert beside(tmp_path, "photo.jpg") == ["photo.jpg.out.png"]  # and not the name that photo gets alone
    assert beside(tmp_path, "scan.dat", "scan.bin") == ["scan.dat.out.png", "scan.bin.out.png"]
    assert [beside(tmp_path, f"shot.out.{form}")[0] for form in ("jpg", "png")] == [
        "shot.out.jpg.out.png",
        "shot.out.png.out.png",
    ]


def test_a_name_in_another_case_is_no_twin_of_itself(tmp_path):
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "PHOTO.JPG").hardlink_to(tmp_path / "photo.jpg")  # as on a file system that takes both for one
    assert beside(tmp_path, "PHOTO.JPG") == ["PHOTO.out.png"]


@pytest.mark.parametrize(
    ("name", "expected"), [("a.out.png", True), ("a.png", False), ("out.png", False), ("a.b.png", False)]
)
def test_results_are_known_by_their_names(name, expected):
    assert is_result(Path(name)) == expected


def test_an_image_that_was_not_asked_for_counts_among_the_images(tmp_path):
    """The same names whether the folder of the images is named as the output or not."""
    for name in ("a.jpg", "a.png"):
        (tmp_path / name).write_bytes(b"image")
    sources = [tmp_path / "a.png"]
    (job,) = plan(sources, tmp_path, tmp_path)
    assert job.target.name == "a.png.out.png"
    assert [job] == plan_beside(sources, ("png", "webm"))
