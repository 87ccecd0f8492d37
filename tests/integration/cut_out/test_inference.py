"""run/Inference.py and the command line with a network behind them: folders, formats, pipes, and what can go wrong."""

import errno
import io
import os
import shutil
import struct
import sys
import types
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from inspyrenet import Remover, cli
from inspyrenet.commands import cut_out
from inspyrenet.data.images import encode
from inspyrenet.data.images.encode import FormatError
from inspyrenet.data.images.read import read_image
from inspyrenet.engine import presets
from inspyrenet.files import videos
from inspyrenet.files.report import Report
from inspyrenet.remover import writing
from inspyrenet.remover.output_paths import FileJob
from inspyrenet.utils.system.failures import one_line
from inspyrenet.video.process import Outcome
from tests.tiny_network import picture, write_tiny

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def shared(tiny):
    return Remover(tiny[0], "cpu", tiny[1], edges="none")


@pytest.fixture
def run(tiny, shared, monkeypatch, capsys):
    """Run the command line with one network for all; (exit code, what it said)."""
    monkeypatch.setattr(cut_out, "load", lambda options: shared)

    def run(source, dest=None, *words):
        where = [] if dest is None else ["--dest", str(dest)]
        code = cut_out.main(["--source", str(source), *where, *words])
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for seed, name in enumerate(("a.jpg", "a.png", "sub/b.webp", "sub/c.JPG")):
        Image.fromarray(picture(seed=seed)).save(folder / name)
    return folder


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def contents(folder):
    return {name: (folder / name).read_bytes() for name in tree(folder)}


# -- sources and names --------------------------------------------------------------------------------------------


def test_a_folder_keeps_its_structure_and_its_images(run, photos, tmp_path, shared):
    before = contents(photos)
    code, said = run(photos, tmp_path / "out", "--type", "map")
    assert code == 0 and "4 done" in said and "tiny on cpu" in said
    assert tree(tmp_path / "out") == ["a.jpg.png", "a.png.png", "sub/b.png", "sub/c.png"]
    assert contents(photos) == before
    expected = shared.process(read_image(photos / "a.png"), type="map")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a.png.png")), expected)


def test_a_pattern_takes_what_matches(run, photos, tmp_path):
    code, _ = run(photos / "**" / "*.webp", tmp_path / "out")
    assert code == 0 and tree(tmp_path / "out") == ["sub/b.png"]


def test_a_file_goes_where_one_says(run, photos, tmp_path):
    source = photos / "sub" / "b.webp"
    assert run(source, tmp_path / "out")[0] == run(source, tmp_path / "x.webp")[0] == run(source)[0] == 0
    assert (tmp_path / "out" / "b.png").is_file() and Image.open(tmp_path / "x.webp").format == "WEBP"
    assert (photos / "sub" / "b.out.png").is_file()


def test_without_destination_a_folder_gets_a_neighbor_and_a_pattern_stays(run, photos, monkeypatch):
    assert run(photos)[0] == 0 and len(tree(photos.with_name("photos.out"))) == 4
    monkeypatch.chdir(photos)
    assert run("*.png")[0] == 0 and (photos / "a.png.out.png").is_file()  # there is an a.jpg, too


def test_results_among_the_images_are_neither_inputs_nor_replace_them(run, photos):
    before = contents(photos)
    for _ in range(2):
        assert run(photos, photos)[0] == 0
    after = contents(photos)
    assert {name: after[name] for name in before} == before and len(after) == 2 * len(before)
    assert run(photos, photos / "out")[0] == 0 and run(photos, photos / "out")[0] == 0
    assert not (photos / "out" / "out").exists()


def test_results_beside_a_folder_are_no_inputs_either(run, photos):
    assert run(photos / "sub")[0] == 0  # into sub.out
    code, said = run(photos, photos.parent / "out")
    assert code == 0 and tree(photos.parent / "out") == ["a.jpg.png", "a.png.png", "sub/b.png", "sub/c.png"]
    assert "2 left out, named .out before the format" in said


def test_photographs_that_are_named_like_results_are_said_to_be_left_out(run, photos, tmp_path):
    (photos / "a.jpg").rename(photos / "holiday.out.jpg")
    code, said = run(photos, tmp_path / "out")
    assert code == 0 and tree(tmp_path / "out") == ["a.png", "sub/b.png", "sub/c.png"]
    hint = (
        f"1 left out, named .out before the format as results are ({photos / 'holiday.out.jpg'}): rename those that are"
    )
    assert hint in said and hint in run(photos, tmp_path / "out")[1]  # where nothing is left to do, too
    code, said = run(photos / "*.jpg", tmp_path / "out")
    assert code == 1 and "no image matches" in said and hint in said
    assert (
        run(photos / "holiday.out.jpg", tmp_path / "out")[0] == 0 and (tmp_path / "out" / "holiday.out.png").is_file()
    )


def test_results_of_the_same_run_are_no_reason_for_a_word(run, photos):
    assert "left out" not in run(photos, photos)[1]
    assert "left out" not in run(photos, photos)[1]


def test_finished_files_are_skipped_until_overwritten(run, photos, tmp_path):
    run(photos, tmp_path / "out", "-t", "map")
    (tmp_path / "out" / "sub" / "b.png").unlink()
    first = contents(tmp_path / "out")
    code, said = run(photos, tmp_path / "out", "-t", "white")
    assert code == 0 and "1 done, 3 skipped" in said and first.items() <= contents(tmp_path / "out").items()
    assert "nothing to do: 4 there" in run(photos, tmp_path / "out")[1]
    code, said = run(photos, tmp_path / "out", "-t", "white", "--overwrite")
    assert "4 done" in said and Image.open(tmp_path / "out" / "a.png.png").mode == "RGB"


@pytest.mark.parametrize(
    ("type", "mode"),
    [
        ("rgba", "RGBA"),
        ("map", "L"),
        ("green", "RGB"),
        ("[9,8,7]", "RGB"),
        ("blur", "RGB"),
        ("overlay", "RGB"),
        ("debug", "RGB"),
    ],
)
def test_every_type_is_written(run, photos, tmp_path, type, mode):
    assert run(photos / "a.jpg", tmp_path, "--type", type)[0] == 0
    assert Image.open(tmp_path / "a.png").mode == mode


def test_a_background_is_sized_for_each_image(run, tmp_path):
    Image.fromarray(np.full((10, 10, 3), 200, np.uint8)).save(tmp_path / "back.png")
    (tmp_path / "in").mkdir()
    for name, size in (("a.png", (40, 60)), ("b.png", (70, 30))):
        Image.fromarray(picture(*size)).save(tmp_path / "in" / name)
    assert run(tmp_path / "in", tmp_path / "out", "-t", str(tmp_path / "back.png"))[0] == 0
    assert [Image.open(tmp_path / "out" / name).size for name in ("a.png", "b.png")] == [(60, 40), (30, 70)]


def test_verbose_shows_progress_with_time_left_and_each_image(run, photos, tmp_path):
    said = run(photos, tmp_path / "out", "--verbose")[1]
    assert "4/4 [" in said and "<" in said and "c.JPG → " in said and "network 0." in said


# -- what goes wrong ----------------------------------------------------------------------------------------------


def test_a_bad_file_does_not_stop_the_rest(run, photos, tmp_path):
    (photos / "empty.jpg").touch()
    (photos / "page.png").write_bytes(b"<html>")
    whole = (photos / "a.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    code, said = run(photos, tmp_path / "out")
    assert code == 1 and "4 done, 3 failed:" in said and len(tree(tmp_path / "out")) == 4
    for name, reason in (("empty.jpg", "0 bytes"), ("page.png", "not an image"), ("cut.png", "damaged")):
        assert any(name in line and reason in line for line in said.splitlines())


def test_unusual_images_are_no_trouble(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(picture()).convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(picture()[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(picture()[:1, :1]).save(folder / "pixel.png")
    Image.fromarray(np.full((20, 30000, 3), 99, np.uint8)).save(folder / "panorama.png")
    turned = Image.fromarray(picture(40, 90))
    turned.getexif()[0x0112] = 6
    turned.save(folder / "turned.jpg", exif=turned.getexif())
    assert run(folder, tmp_path / "out")[0] == 0
    sizes = {name: Image.open(tmp_path / "out" / name).size for name in tree(tmp_path / "out")}
    assert sizes == {
        "cmyk.png": (80, 48),
        "deep.png": (80, 48),
        "panorama.png": (30000, 20),
        "pixel.png": (1, 1),
        "turned.png": (40, 90),
    }


def test_a_bomb_is_refused_by_its_header(run, tmp_path):
    size = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)  # 400 megapixels in 70 bytes
    chunks = [(b"IHDR", size), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    code, said = run(tmp_path / "bomb.png", tmp_path / "out")
    assert code == 1 and "scale the image down first" in said


def test_an_animation_gives_its_first_frame_and_says_so(run, tmp_path, caplog):
    frames = [Image.fromarray(picture(seed=seed)) for seed in (0, 1)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    code, _ = run(tmp_path / "film.gif", tmp_path / "out")
    assert code == 0 and "film.gif: has several frames" in caplog.text


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_stops_the_work_and_says_how_to_go_on(run, photos, tmp_path, monkeypatch, code):
    def full(array, path, *more):
        raise OSError(code, f"cannot write {path}")

    for seed in range(12):
        Image.fromarray(picture()).save(photos / f"{seed}.bmp")
    monkeypatch.setattr(writing, "write_picture", full)
    status, said = run(photos, tmp_path / "out")
    assert status == 1 and "not tried" in said and "run the same command again" in said and "0 done" in said
    monkeypatch.undo()
    assert tree(tmp_path / "out") == []


def test_one_result_that_cannot_be_written_is_listed(run, photos, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").write_text("in the way")
    code, said = run(photos, tmp_path / "out")
    assert code == 1 and "2 done, 2 failed" in said and "cannot write" in said


def test_a_torn_write_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(encode.Path, "replace", lambda self, target: (_ for _ in ()).throw(OSError(28, "No space")))
    with pytest.raises(OSError, match=r"cannot write .*x\.png \(No space\); choose a writable folder"):
        encode.write_picture(picture(), tmp_path / "x.png")
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    "error", [MemoryError(), ZeroDivisionError("division by zero"), KeyError("x"), AssertionError()]
)
def test_whatever_the_network_or_matting_raises_ends_one_image(run, photos, tmp_path, shared, monkeypatch, error):
    whole, calls = shared.predict, []

    def predict(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise error
        return whole(*arguments)

    monkeypatch.setattr(shared, "predict", predict)
    code, said = run(photos, tmp_path / "out", "-v")
    assert code == 1 and "3 done, 1 failed" in said and len(tree(tmp_path / "out")) == 3
    assert f"a.png: {type(error).__name__}" in said
    assert "Traceback (most recent call last)" in said  # it may be a bug, and verbose shows where


def test_whatever_an_encoder_raises_ends_one_image(run, photos, tmp_path, monkeypatch):
    whole = writing.write_picture

    def write(array, path, *options):
        if path.stem == "b":
            raise struct.error("ushort format requires 0 <= number <= 65535")
        return whole(array, path, *options)

    monkeypatch.setattr(writing, "write_picture", write)
    code, said = run(photos, tmp_path / "out")
    assert code == 1 and "3 done, 1 failed" in said and "b.webp: error: ushort" in said and "Traceback" not in said


def test_what_is_no_file_ends_itself_alone(run, photos, tmp_path):
    """A pipe that nobody writes to, links in a circle, a link to nothing, a name that has no room for what a result is called."""
    os.mkfifo(photos / "pipe.jpg")
    os.mkfifo(photos / "pipe.ts")
    (photos / "circle.jpg").symlink_to("circle.jpg")
    (photos / "nothing.jpg").symlink_to("absent.jpg")
    (photos / f"{'y' * 251}.png").write_bytes((photos / "a.png").read_bytes())
    code, said = run(photos, tmp_path / "out", "--format", "webp")
    assert code == 1 and "4 done, 5 failed" in said and len(tree(tmp_path / "out")) == 4
    assert "pipe.jpg: is no regular file" in said and "pipe.ts: is no regular file" in said
    assert "nothing.jpg: no such file" in said and "File name too long" in said


def test_a_name_that_begins_like_a_home_is_a_name(run, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(photos)
    (photos / "a.png").rename("~tmp.png")
    assert run("~tmp.png")[0] == 0
    assert (photos / "~tmp.out.png").is_file()


def test_ctrl_c_is_no_error_of_an_image(run, photos, tmp_path, shared, monkeypatch):
    def predict(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(shared, "predict", predict)
    code, said = run(photos, tmp_path / "out")
    assert code == 130 and "failed" not in said


def test_whatever_a_video_raises_ends_that_video(tmp_path, monkeypatch):
    errors = [ZeroDivisionError("division by zero"), OSError(errno.ENOSPC, "No space left on device")]
    work = types.SimpleNamespace(jobs=[FileJob(tmp_path / f"{name}.mp4", tmp_path / name, "video") for name in "abc"])
    monkeypatch.setattr(videos, "_cut_one", lambda *_: (_ for _ in ()).throw(errors.pop(0)))
    report, said = Report(), []
    videos.cut_videos(work.jobs, work, None, report, say=said.append)
    assert report.failed == [
        (work.jobs[0].source, "ZeroDivisionError: division by zero"),
        (work.jobs[1].source, "No space left on device"),
    ]
    assert errors == [] and report.exit_code == 1  # the full disk ended the work before the third
    assert len(said) == 1 and said[0].startswith("Traceback")


@pytest.fixture
def stopped_videos(tmp_path, monkeypatch):
    """Cut out two videos, of which the first one, after a Ctrl-C, ends as is said."""

    def cut(end):
        def cut_one(job, work, remover, stop, bar):
            tried.append(job)
            stop.wanted = True
            if isinstance(end, Exception):
                raise end
            return end

        tried, jobs = [], [FileJob(tmp_path / f"{name}.mp4", tmp_path / name, "video") for name in "ab"]
        monkeypatch.setattr(videos, "_cut_one", cut_one)
        with pytest.raises(KeyboardInterrupt):
            videos.cut_videos(jobs, None, None, Report())
        assert tried == jobs[:1]

    return cut


@pytest.mark.parametrize("error", [FormatError("a.mp4 ends at 4 GB"), OSError(errno.EIO, "the disk is gone")])
def test_what_goes_wrong_after_ctrl_c_is_told(stopped_videos, tmp_path, capsys, error):
    stopped_videos(error)
    assert capsys.readouterr().err == f"stopped: {tmp_path / 'a.mp4'}: {one_line(error)}\n"


def test_ctrl_c_at_the_end_of_a_video_ends_the_work(stopped_videos, tmp_path):
    stopped_videos(Outcome(tmp_path / "a", 4, 0.2))


# -- the whole way ------------------------------------------------------------------------------------------------


@pytest.fixture
def bundled(tiny, monkeypatch):
    """The tiny network is the bundled model."""
    monkeypatch.setattr(presets, "BUNDLED_CONFIG", tiny[0])
    monkeypatch.setattr(presets, "BUNDLED_WEIGHTS", tiny[1])


def test_the_command_cuts_out_one_image(bundled, photos, capsys):
    for _ in range(2):
        assert cli.main([str(photos / "sub" / "c.JPG"), "--edges", "none", "--device", "cpu"]) == 0
    result = Image.open(photos / "sub" / "c.out.png")
    assert result.mode == "RGBA" and np.array_equal(np.asarray(result)[..., :3], read_image(photos / "sub" / "c.JPG"))
    assert "1 done" in capsys.readouterr().err


def test_the_command_works_in_a_pipe(bundled, photos, monkeypatch, shared, capsys):
    out = types.SimpleNamespace(buffer=io.BytesIO(), isatty=lambda: False, flush=lambda: None)
    source = types.SimpleNamespace(buffer=io.BytesIO((photos / "a.png").read_bytes()), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", source)
    monkeypatch.setattr(sys, "stdout", out)
    assert cli.main(["i", "-", "-", "-t", "map", "--device", "cpu"]) == 0
    result = np.asarray(Image.open(io.BytesIO(out.buffer.getvalue())))
    assert np.array_equal(result, shared.process(read_image(photos / "a.png"), type="map"))
    assert capsys.readouterr().err.endswith(": 1 image\n")
    source.buffer.seek(0)
    assert cli.main(["i", "-", "-", "-t", "map", "--device", "cpu", "-v"]) == 0
    assert capsys.readouterr().err.splitlines()[-1].startswith("-: network ")


def test_closed_streams_are_told(bundled, photos, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["i", "-", "x.png"]) == 1 and "no image on stdin" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdout", None)
    assert cli.main([str(photos / "a.png"), "-"]) == 1
    assert "needs a pipe or a file as stdout" in capsys.readouterr().err


def test_a_pipe_does_not_write_into_folders(photos, tmp_path, monkeypatch, capsys):
    source = types.SimpleNamespace(buffer=io.BytesIO((photos / "a.png").read_bytes()), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", source)
    for folder in (f"{tmp_path}/new/", str(tmp_path)):
        assert cli.main(["i", "-", folder]) == 1
        assert f"{folder} is a folder" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_bad_bytes_in_a_pipe_leave_stdout_empty(bundled, monkeypatch, capsys):
    out = types.SimpleNamespace(buffer=io.BytesIO(), isatty=lambda: False, flush=lambda: None)
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(b"text"), isatty=lambda: False))
    monkeypatch.setattr(sys, "stdout", out)
    assert cli.main(["i"]) == 1
    assert out.buffer.getvalue() == b"" and "not an image" in capsys.readouterr().err


def test_the_command_cuts_out_a_folder(bundled, photos, tmp_path):
    assert cli.main(["p", str(photos), str(tmp_path / "out"), "--device", "cpu", "--format", "webp"]) == 0
    assert tree(tmp_path / "out") == ["a.jpg.webp", "a.png.webp", "sub/b.webp", "sub/c.webp"]


def test_every_option_reaches_the_network(tiny, photos, tmp_path, capsys):
    words = [
        "--config",
        str(tiny[0]),
        "--ckpt",
        str(tiny[1]),
        "--source",
        str(photos / "a.png"),
        "--dest",
        str(tmp_path),
    ]
    words += [
        "--device",
        "cpu",
        "--resize",
        "dynamic",
        "--edges",
        "none",
        "--precision",
        "float32",
        "Model.threshold=50",
    ]
    assert cut_out.main([*words, "--type", "map"]) == 0
    expected = Remover(tiny[0], "cpu", tiny[1], "dynamic", overrides=["Model.threshold=50"]).process(
        picture(seed=1), "map"
    )
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), expected)
    assert cut_out.main([*words, "--type", "map", "--gpu", "--overwrite", "--device", "cuda:9"]) == 1
    assert "cuda:9" in capsys.readouterr().err


def test_a_word_that_is_no_override_is_told(capsys):
    with pytest.raises(SystemExit):
        cut_out.main(["photo.jpg", "--source", "x"])
    assert "what is 'photo.jpg'?" in capsys.readouterr().err


def test_the_same_map_from_every_front_end(tiny, photos, tmp_path, capsys):
    """Remover, the command, Inference, Test: one preprocessing, one map."""
    from inspyrenet.commands import test

    clone = tmp_path / "clone"
    shutil.copytree(photos, clone / "data" / "Test_Dataset" / "Any" / "images")
    (clone / "data" / "Test_Dataset" / "Any" / "images" / "a.png").unlink()
    named = [str(tiny[0]), f"Test.Checkpoint.checkpoint_dir={tiny[1]}", f"Eval.pred_root={tmp_path / 'maps'}"]
    named += [f"Test.Dataset.root={clone / 'data' / 'Test_Dataset'}", "Test.Dataloader.num_workers=0"]
    assert test.main(["--config", *named, "--device", "cpu"]) == 0
    source = clone / "data" / "Test_Dataset" / "Any" / "images"
    words = ["--config", str(tiny[0]), "--ckpt", str(tiny[1]), "--device", "cpu", "--type", "map"]
    assert cut_out.main([*words, "--source", str(source), "--dest", str(tmp_path / "out")]) == 0
    remover = Remover(tiny[0], "cpu", tiny[1])
    assert tree(tmp_path / "out") == ["a.png", "sub/b.png", "sub/c.png"]
    for name in tree(tmp_path / "out"):
        made = [np.asarray(Image.open(folder / name)) for folder in (tmp_path / "out", tmp_path / "maps" / "Any")]
        original = next(source.rglob(f"{name.removesuffix('.png')}.*"))
        made.append(remover.process(read_image(original), type="map"))
        assert all(np.array_equal(one, made[0]) for one in made)
