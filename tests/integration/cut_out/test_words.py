"""What the words of `inspyrenet`, `i` and `p` stand for: one input or several, output or input, and what is left out."""

import numpy as np
import pytest
import torch
from PIL import Image

from inspyrenet import Remover, cli
from inspyrenet.commands import cut_out
from tests.tiny_network import picture, write_tiny

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    config, weights, *_ = write_tiny(tmp_path_factory.mktemp("tiny"))
    return Remover(config, "cpu", weights, edges="none")


@pytest.fixture
def run(shared, monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder with one network for all; (exit code, what it said)."""
    monkeypatch.setattr(cut_out, "load", lambda options: shared)
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = cli.main([str(word) for word in words])
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def photo(tmp_path):
    def photo(name, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed=len(name))).save(path, **options)
        return path

    return photo


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# -- output -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("a.jpg", "-o", "cut.png"), ("i", "a.jpg", "--output", "cut.png"),
                                   ("-i", "a.jpg", "-o", "cut.png"), ("p", "a.jpg", "cut.png")])  # fmt: skip
def test_the_output_is_where_one_says_and_is_no_mask(run, photo, tmp_path, words):
    photo("a.jpg")
    code, said = run(*words)
    assert (code, tree(tmp_path)) == (0, ["a.jpg", "cut.png"]) and Image.open("cut.png").mode == "RGBA"
    assert "1 done\n→ cut.png\n" in said


def test_a_name_that_ends_in_a_slash_is_a_folder(run, photo, tmp_path):
    photo("a.jpg")
    assert run("a.jpg", "out.gif/")[0] == 0 and run("a.jpg", "-o", "plain/")[0] == 0
    assert tree(tmp_path) == ["a.jpg", "out.gif/a.png", "plain/a.png"]


def test_a_folder_may_have_dots_in_its_name(run, photo, tmp_path):
    photo("in/a.jpg"), photo("in/b.jpg")
    code, said = run("p", "in", "results.v2")
    assert code == 0 and tree(tmp_path / "results.v2") == ["a.png", "b.png"] and "→ results.v2\n" in said


def test_a_mask_is_made_where_it_is_asked_for(run, photo):
    photo("a.jpg")
    assert run("a.jpg", "-om", "-o", "map.png")[0] == 0 and Image.open("map.png").mode == "L"


# -- several inputs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], ["i"], ["p"]])
@pytest.mark.parametrize("count", [2, 3])
def test_what_a_shell_makes_of_a_pattern_is_several_inputs(run, photo, tmp_path, command, count):
    names = [photo(f"{letter}.jpg").name for letter in "abc"[:count]]
    for _ in range(2):
        code, said = run(*command, *names)
        assert code == 0 and tree(tmp_path) == sorted([*names, *(f"{name[0]}.out.png" for name in names)])
    if not command:
        assert f"{count} done\n→ .\n" in said


def test_results_that_the_shell_found_are_left_out_and_said(run, photo, tmp_path):
    names = [photo(name).name for name in ("a.png", "b.png", "c.png")]
    assert run("p", *names)[0] == 0
    code, said = run("p", *tree(tmp_path), "--overwrite")
    assert code == 0 and len(tree(tmp_path)) == 6 and "3 done" in said
    assert run("p", *names, "a.out.png", "-o", "out")[1].count("1 left out, named .out before the format") == 1


def test_folders_and_files_go_to_one_output_and_keep_their_names(run, photo, tmp_path):
    for name in ("x/in/a.jpg", "x/in/sub/b.jpg", "y/in/a.jpg", "a.jpg"):
        photo(name)
    code, said = run("p", "x/in", "y/in", "a.jpg", "x/in/a.jpg", "-o", "out")
    assert code == 0 and "4 done\n→ out\n" in said  # the last file is the first folder's
    assert tree(tmp_path / "out") == ["a.png", "in/a.jpg.out2.png", "in/a.jpg.png", "in/sub/b.png"]


def test_patterns_without_output_give_each_image_a_name_of_its_own(run, photo, tmp_path):
    for name in ("y.jpg", "y.png"):
        photo(name)
    assert run("p", "*.jpg")[0] == 0 and run("p", "*.png")[0] == 0
    assert tree(tmp_path) == ["y.jpg", "y.jpg.out.png", "y.png", "y.png.out.png"]


def test_without_output_each_input_has_its_own_place(run, photo, tmp_path):
    for name in ("in/a.jpg", "b.jpg"):
        photo(name)
    assert run("p", "in", "b.jpg")[0] == 0
    assert tree(tmp_path) == ["b.jpg", "b.out.png", "in.out/a.png", "in/a.jpg"]


def test_an_output_folder_among_several_inputs_gets_no_names_of_images(run, photo, tmp_path):
    photo("in/a.jpg"), photo("b.jpg"), photo("c.jpg")
    assert run("p", "in", "b.jpg", "c.jpg", "-o", "in")[0] == 0
    assert tree(tmp_path / "in") == ["a.jpg", "b.out.png", "c.out.png", "in/a.out.png"]


def test_a_folder_at_the_end_that_looks_like_an_output_is_asked_about(run, photo, tmp_path):
    photo("a.jpg"), photo("b.jpg"), photo("out/c.jpg")
    code, said = run("a.jpg", "b.jpg", "out/")
    assert code == 1 and "out/: is it the output? -o out/ says so" in said and len(tree(tmp_path)) == 3
    assert run("a.jpg", "b.jpg", "-o", "out/")[0] == 0 and tree(tmp_path / "out") == ["a.png", "b.png", "c.jpg"]
    assert run("p", "a.jpg", "b.jpg", "out")[0] == 0 and len(tree(tmp_path / "out.out")) == 3


def test_two_folders_are_input_and_output(run, photo, tmp_path):
    photo("in/a.jpg"), photo("out/b.jpg")
    assert run("p", "in", "out")[0] == 0 and tree(tmp_path / "out") == ["a.png", "b.jpg"]


# -- folders ------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_as_far_as_single_images_are(run, photo, tmp_path):
    for suffix in ("avif", "gif", "jp2", "png", "tga", "ppm"):
        photo(f"in/{suffix}.{suffix}")
    photo("in/jfif.jfif", format="JPEG")
    code, said = run("p", "in", "out")
    assert code == 0 and "7 images" in said and "left out" not in said
    assert tree(tmp_path / "out") == sorted(
        f"{name}.png" for name in ("avif", "gif", "jp2", "png", "tga", "ppm", "jfif")
    )
    for name in tree(tmp_path / "in"):
        assert run(f"in/{name}", "one.png", "--overwrite")[0] == 0
        assert np.array_equal(Image.open("one.png"), Image.open(f"out/{name.split('.')[0]}.png"))


def test_what_a_folder_run_leaves_out_is_counted(run, photo, tmp_path):
    photo("in/a.jpg")
    photo("in/odd.jpg").rename(tmp_path / "in" / "odd.dat")
    for name in ("notes.txt", "more.TXT", "README", "code.ts", ".hidden", "Thumbs.db", "desktop.ini"):
        (tmp_path / "in" / name).write_text("text")
    counted = "5 left out: 2 .txt, 1 without a suffix, 1 .ts, 1 .dat"
    code, said = run("p", "in", "out")
    line = next(line for line in said.splitlines() if "left out" in line)
    assert code == 0 and set(line.partition(";")[0].split(", ")) >= {"1 without a suffix", "1 .ts", "1 .dat"}
    assert line.startswith(counted[:20]) and "in/odd.dat by content an image" in line
    assert line in run("p", "in", "out")[1]  # where nothing is left to do, too
    assert "left out: 1 .dat" in run("p", "in/*.dat", "out")[1]


def test_a_folder_without_images_says_what_is_in_it(run, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("text")
    code, said = run("p", "in", "out")
    assert code == 1 and "in: no images in this folder" in said and "1 left out: 1 .txt" in said


# -- options of other tools ---------------------------------------------------------------------------------------


def test_a_background_color_of_rembg_is_taken(run, photo):
    photo("a.jpg")
    assert run("i", "-bgc", 1, 2, 3, 255, "-a", "a.jpg", "color.png")[0] == 0
    assert (
        run("i", "a.jpg", "type.png", "-t", "[1,2,3]")[0] == run("i", "a.jpg", "clear.png", "-bgc", 0, 0, 0, 0)[0] == 0
    )
    assert np.array_equal(Image.open("color.png"), Image.open("type.png")) and Image.open("clear.png").mode == "RGBA"
