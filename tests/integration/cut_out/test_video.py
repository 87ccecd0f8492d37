"""Videos through run/Inference.py and the command line, with a network behind them."""

import errno
import io
import signal
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from inspyrenet import Remover, cli
from inspyrenet.commands import cut_out
from inspyrenet.engine import presets
from inspyrenet.files import videos
from inspyrenet.networks.network import predict
from inspyrenet.remover.compositing import composite
from inspyrenet.video import camera
from inspyrenet.video.animations.reading import AnimatedFile
from inspyrenet.video.reading import VideoFile
from inspyrenet.video.source import Picture
from inspyrenet.video.writing import VideoWriter
from tests.moving import cut_off, look, make_transparent, make_video, painted
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
    """Run the command line with one network for all; (exit code, what it said).

    Each picture is cut out by itself, so that images tell what must come out; --steady comes after that word and wins.
    """
    monkeypatch.setattr(cut_out, "load", lambda options: shared)

    def run(source, dest=None, *words):
        where = [] if dest is None else ["--dest", str(dest)]
        code = cut_out.main(["--source", str(source), *where, "--no-steady", *words])
        return code, capsys.readouterr().err

    return run


def pictures(path):
    file = VideoFile(path)
    found = [item.array for item in file if isinstance(item, Picture)]
    file.close()
    return found


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# -- types --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "near"), [("webm", 8), ("mov", 2)])
def test_the_alpha_channel_is_the_map(run, shared, tmp_path, form, near):
    clip = make_video(tmp_path / "clip.mp4", 6, sound="aac")
    code, said = run(clip, tmp_path / f"cut.{form}")
    assert code == 0 and "1 video" in said and "1 done" in said
    seen = look(tmp_path / f"cut.{form}")
    maps = shared.process_batch(pictures(clip), "map", batch_size=4)
    assert len(seen.frames) == len(maps) == 6 and seen.sound
    for frame, expected in zip(seen.frames, maps, strict=True):
        assert np.abs(frame[..., 3].astype(int) - expected).mean() < near


@pytest.mark.parametrize("form", ["webm", "mov"])
def test_what_is_transparent_in_a_video_stays_so(run, tmp_path, form):
    alpha = np.zeros((48, 64), np.uint8)
    alpha[:, :40] = 255
    clip = make_transparent(tmp_path / f"clip.{form}", alpha)
    assert run(clip, tmp_path / "cut.mov")[0] == 0
    assert run(clip, tmp_path / "white.mov", "--type", "white")[0] == 0
    for frame in look(tmp_path / "cut.mov").frames:
        assert frame[:, 44:].max() <= 2  # neither alpha nor colors
        assert frame[:, :36, 3].std() > 3
    for frame in look(tmp_path / "white.mov").frames:
        assert frame[:, 44:].min() >= 250


def test_every_type_of_images_works(run, shared, tmp_path):
    clip = make_video(tmp_path / "clip.mp4", 3)
    Image.fromarray(picture(90, 100)).save(tmp_path / "back.png")
    types = ("map", "green", "white", "[9,80,200]", "#0950c8", "blur", "overlay", "debug", str(tmp_path / "back.png"))
    for number, kind in enumerate(types):
        code, said = run(clip, tmp_path / f"{number}.mp4", "--type", kind)
        assert code == 0, said
        expected = [shared.process(image, kind) for image in pictures(clip)]
        for frame, one in zip(look(tmp_path / f"{number}.mp4").frames, expected, strict=True):
            one = np.repeat(one[..., None], 3, axis=2) if one.ndim == 2 else one
            assert np.abs(frame[: one.shape[0], : one.shape[1], :3].astype(int) - one).mean() < 9, kind


def test_threshold_reverse_and_edges_reach_the_pictures(run, shared, tmp_path):
    clip = make_video(tmp_path / "clip.mp4", 2)
    run(clip, tmp_path / "a.mov", "--threshold", "0.5", "--reverse", "--edges", "fusion")
    expected = shared.process(pictures(clip)[0], "map", 0.5, True)
    assert np.abs(look(tmp_path / "a.mov").frames[0][..., 3].astype(int) - expected).max() < 4


def test_steady_maps_differ_less_from_picture_to_picture(run, tmp_path):
    clip = tmp_path / "clip.mp4"
    noisy = [picture(64, 64, seed) for seed in range(6)]
    make_video(clip, pictures=noisy)
    changes = []
    for word in ("--no-steady", "--steady"):
        assert run(clip, tmp_path / "map.mov", "-t", "map", "--overwrite", word)[0] == 0
        maps = np.stack([frame[..., 0] for frame in look(tmp_path / "map.mov").frames]).astype(float)
        changes.append(np.abs(np.diff(maps, axis=0)).mean())
    assert changes[1] < 0.8 * changes[0]


def test_a_rotated_video_comes_out_upright(run, shared, tmp_path):
    clip = make_video(tmp_path / "clip.mp4", 2, (48, 96), turn=90)
    assert run(clip, tmp_path / "a.mp4", "-t", "white")[0] == 0
    frame = look(tmp_path / "a.mp4").frames[0][..., :3]
    upright = np.rot90(painted(0, 48, 96))
    expected = composite(upright, (255, 255, 255), shared.process(np.ascontiguousarray(upright), "map"))
    assert frame.shape == (96, 48, 3) and np.abs(frame.astype(int) - expected).mean() < 12


# -- animations and folders of frames -----------------------------------------------------------------------------


def film(path, count=3):
    """An animated picture with a transparent right side; lasts 40, 80, … ms, and is played twice."""
    frames = []
    for number in range(count):
        array = np.dstack([picture(48, 64, number), np.full((48, 64), 255, np.uint8)])
        array[:, 44:] = 0
        frames.append(Image.fromarray(array))
    times = [40 * (number + 1) for number in range(count)]
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=times, loop=1 + (path.suffix != ".gif"), disposal=2
    )
    return path


@pytest.mark.parametrize("form", ["gif", "webp", "apng"])
@pytest.mark.parametrize("source", ["gif", "webp", "png"])
def test_an_animation_stays_one_without_pyav(run, shared, tmp_path, monkeypatch, form, source):
    monkeypatch.setitem(sys.modules, "av", None)
    clip = film(tmp_path / f"film.{source}")
    code, said = run(clip, tmp_path / f"cut.{form}")
    assert code == 0 and "1 video" in said and ("no soft edges" in said) == (form == "gif")
    originals, made = AnimatedFile(clip), AnimatedFile(tmp_path / f"cut.{form}")
    assert made.plays == originals.plays == 2
    for one, other in zip(originals, made, strict=True):
        assert other.time == one.time and other.duration == one.duration
        assert other.array[:, 44:, 3].max() == 0  # what was transparent stays so
        expected = shared.process(Image.fromarray(one.array), "map")
        alpha = np.asarray(expected)[:, :40]
        found = other.array[:, :40, 3].astype(int)
        assert np.abs(found - (alpha if form != "gif" else 255 * (alpha >= 128))).mean() < 3
    originals.close()
    made.close()


def test_an_animation_becomes_a_video_and_a_video_an_animation(run, tmp_path):
    assert run(film(tmp_path / "film.gif"), tmp_path / "a.webm")[0] == 0
    assert look(tmp_path / "a.webm").times == pytest.approx([0, 0.04, 0.12])
    code, said = run(make_video(tmp_path / "clip.mp4", 4, sound="aac"), tmp_path / "b.gif")
    assert code == 0 and "gif has no sound; mp4, webm and mov keep it" in said
    with Image.open(tmp_path / "b.gif") as found:
        assert found.n_frames == 4 and found.info["duration"] == 50 and found.info["loop"] == 0


def test_frames_of_a_video_are_gone_on_with_by_the_same_command(run, shared, tmp_path, monkeypatch):
    clip = make_video(tmp_path / "clip.mp4", 40)
    interrupting(monkeypatch, 5)
    code, said = run(clip, tmp_path / "cut", "--format", "png", "-t", "map")
    part = tmp_path / "cut" / "clip.partial.frames"
    assert code == 130 and f"stopped: 24 frames (1.2 s) are in {part}" in said
    code, said = run(clip, tmp_path / "cut", "--format", "png", "-t", "map")
    assert code == 0 and "clip.mp4: 7 frames are there already" in said
    assert sorted({path.parent.name for path in (tmp_path / "cut").rglob("*.png")}) == ["clip.frames"]
    found = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "cut" / "clip.frames").glob("*.png"))]
    maps = shared.process_batch(pictures(clip), "map", batch_size=4)
    assert len(found) == 40 and all(np.abs(a.astype(int) - b).max() <= 1 for a, b in zip(found, maps, strict=True))
    code, said = run(clip, tmp_path / "cut", "--format", "png", "-t", "map")
    assert code == 0 and "nothing to do: 1 there already" in said


# -- folders ------------------------------------------------------------------------------------------------------


def test_videos_among_images(run, tmp_path):
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(picture()).save(folder / "a.jpg")
    make_video(folder / "a.mp4", 3)
    make_video(folder / "sub" / "b.MOV", 3, form="mov")
    (folder / "sub" / "text.mp4").write_text("a letter, no video " * 30)
    (folder / "sub" / "none.webm").write_bytes(b"")
    make_video(folder / "sub" / "sound.mkv", 0, form="matroska", sound="aac", seconds=0.2)
    code, said = run(folder, tmp_path / "out", "--type", "map", "--verbose")
    assert code == 1 and tree(tmp_path / "out") == ["a.mp4", "a.png", "sub/b.mp4"]
    assert "1 image, 5 videos" in said and "3 done, 3 failed" in said and "a.mp4: 100%" in said
    assert "text.mp4: not a video of a known kind" in said and "none.webm: the file is empty" in said
    assert "sound.mkv: no frames could be had" in said and "2 frames" not in said
    code, said = run(folder, tmp_path / "out", "--type", "map")
    assert code == 1 and "0 done, 3 skipped" in said  # what is finished is not done again


def test_results_are_no_sources(run, tmp_path):
    make_video(tmp_path / "a.mp4", 2)
    for _ in range(2):
        assert run(tmp_path, tmp_path, "-t", "map")[0] == 0
    assert tree(tmp_path) == ["a.mp4", "a.out.mp4"]


def test_a_video_cut_short_is_kept_as_a_part(run, tmp_path):
    whole = make_video(tmp_path / "whole.mp4", 60, (96, 128), options={"movflags": "faststart"})
    cut = cut_off(whole, tmp_path / "clip.mp4")
    code, said = run(cut, tmp_path / "out", "-t", "map")
    assert code == 1 and "cut short" in said and tree(tmp_path / "out") == ["clip.partial.mp4"]
    assert str(tmp_path / "out" / "clip.partial.mp4") in said
    assert 5 < len(look(tmp_path / "out" / "clip.partial.mp4").frames) < 60


def test_what_is_wrong_is_said_before_a_network_is_loaded(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cut_out, "load", lambda options: pytest.fail("loaded a network"))
    (tmp_path / "a.mp4").write_text("a letter, no video " * 30)
    assert cut_out.main(["--source", str(tmp_path / "a.mp4")]) == 1
    assert "error: " in (said := capsys.readouterr().err) and "not a video of a known kind" in said
    make_video(tmp_path / "b.mp4", 2)
    monkeypatch.setitem(sys.modules, "av", None)
    assert cut_out.main(["--source", str(tmp_path / "b.mp4")]) == 1
    assert "./install.sh --extras video" in capsys.readouterr().err


def test_without_pyav_the_images_of_a_folder_are_done(run, tmp_path, monkeypatch):
    make_video(tmp_path / "in.mp4", 2)
    Image.fromarray(picture()).save(tmp_path / "a.jpg")
    monkeypatch.setitem(sys.modules, "av", None)
    code, said = run(tmp_path, tmp_path / "out")
    assert code == 1 and tree(tmp_path / "out") == ["a.png"] and "--extras video" in said


def test_a_full_disk_stops_the_videos(run, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in "abc":
        make_video(tmp_path / "in" / f"{name}.mp4", 2)

    def full(self, picture):
        raise OSError(errno.ENOSPC, "cannot write (No space left on device)")

    monkeypatch.setattr(VideoWriter, "picture", full)
    code, said = run(tmp_path / "in", tmp_path / "out")
    assert code == 1 and "0 done, 1 failed, 2 not tried" in said and "run the same command again" in said
    assert tree(tmp_path / "out") == []


# -- stopping -----------------------------------------------------------------------------------------------------


def interrupting(monkeypatch, after):
    """Ctrl-C comes while batch number `after` is in the network."""
    count = iter(range(1000))

    def interrupted(*inputs):
        if next(count) == after:
            signal.raise_signal(signal.SIGINT)
        return predict(*inputs)

    monkeypatch.setattr("inspyrenet.remover.remover.predict", interrupted)


def test_ctrl_c_leaves_a_playable_part_and_says_where(run, shared, tmp_path, monkeypatch):
    clip = make_video(tmp_path / "clip.mp4", 60, sound="aac")
    interrupting(monkeypatch, 3)
    code, said = run(clip, tmp_path / "cut.webm")
    part = tmp_path / "cut.partial.webm"
    assert code == 130 and f"stopped: 16 frames (0.8 s) are in {part}" in said and "interrupted" in said
    seen = look(part)
    assert len(seen.frames) == 16 and seen.sound and tree(tmp_path) == ["clip.mp4", "cut.partial.webm"]


def test_ctrl_c_ends_the_whole_folder(run, shared, tmp_path, monkeypatch):
    for name in ("a.mp4", "b.mp4"):
        make_video(tmp_path / name, 20)
    interrupting(monkeypatch, 1)
    code, _ = run(tmp_path, tmp_path / "out", "-t", "map")
    assert code == 130 and tree(tmp_path / "out") == ["a.partial.mp4"]


# -- a camera -----------------------------------------------------------------------------------------------------


class FakeCapture:
    """Gives BGR, as OpenCV does."""

    def __init__(self, count, opened=True):
        self.left, self.opened, self.released = count, opened, False

    def isOpened(self):
        return self.opened

    def read(self):
        self.left -= 1
        return (self.left >= 0, painted(0)[..., ::-1] if self.left >= 0 else None)

    def get(self, property):
        return 20.0

    def release(self):
        self.released = True


def test_a_camera_is_recorded_until_it_ends(run, tmp_path, monkeypatch):
    capture = FakeCapture(5)
    monkeypatch.setattr(camera, "open_capture", lambda number: capture if number == 3 else None)
    code, said = run(3, tmp_path, "--type", "white", "--threshold", "1", "--reverse")  # nothing is cut away
    assert code == 0 and "recording to" in said and "1 done" in said and capture.released
    assert "camera 3: 0 of 5 pictures were dropped" in said
    seen = look(tmp_path / "camera3.mp4")
    assert len(seen.frames) == 5 and seen.times == sorted(seen.times)
    assert np.abs(seen.frames[4][..., :3].astype(int) - painted(0)).mean() < 6  # red is red


def test_ctrl_c_ends_a_recording_whole(run, shared, tmp_path, monkeypatch):
    monkeypatch.setattr(camera, "open_capture", lambda number: FakeCapture(10**9))
    interrupting(monkeypatch, 4)
    code, said = run(0, tmp_path / "me.webm")
    assert code == 0 and "1 done" in said and tree(tmp_path) == ["me.webm"]
    assert len(look(tmp_path / "me.webm").frames) == 5


def test_a_camera_that_is_not_there_is_one_line(run, tmp_path, monkeypatch):
    monkeypatch.setattr(camera, "open_capture", lambda number: FakeCapture(0, opened=False))
    code, said = run(9, tmp_path)
    assert code == 1 and "9: camera 9 is not there" in said and tree(tmp_path) == []


def test_a_camera_is_given_back_where_nothing_can_be_written(run, tmp_path, monkeypatch):
    capture = FakeCapture(5)
    monkeypatch.setattr(camera, "open_capture", lambda number: capture)
    monkeypatch.setattr(videos, "open_writer", lambda *_: (_ for _ in ()).throw(OSError(errno.EROFS, "read-only")))
    assert run(0, tmp_path)[0] == 1 and capture.released


def test_a_camera_without_a_picture(run, tmp_path, monkeypatch):
    monkeypatch.setattr(camera, "open_capture", lambda number: FakeCapture(0))
    code, said = run(0, tmp_path)
    assert code == 1 and "camera 0: no frames could be had" in said and tree(tmp_path) == []


# -- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def bundled(tiny, monkeypatch, tmp_path):
    """The tiny network is the bundled model."""
    monkeypatch.setattr(presets, "BUNDLED_CONFIG", tiny[0])
    monkeypatch.setattr(presets, "BUNDLED_WEIGHTS", tiny[1])
    monkeypatch.chdir(tmp_path)


def test_the_command_cuts_out_a_video(bundled, tmp_path, capsys):
    make_video(tmp_path / "clip.mp4", 3)
    for _ in range(2):
        assert cli.main(["clip.mp4", "--device", "cpu"]) == 0
    assert tree(tmp_path) == ["clip.mp4", "clip.out.webm"] and len(look(tmp_path / "clip.out.webm").frames) == 3
    assert cli.main(["clip.mp4", "clip.out.webm"]) == 1 and "--overwrite replaces it" in capsys.readouterr().err
    assert cli.main(["i", "clip.mp4", "-"]) == 1 and "do not go through pipes" in capsys.readouterr().err
    assert cli.main(["i", "clip.mp4", "cut.mov", "--device", "cpu"]) == 0
    assert look(tmp_path / "cut.mov").codec == "prores"


def test_the_command_never_replaces_a_recording_unasked(bundled, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(camera, "open_capture", lambda number: FakeCapture(2))
    assert cli.main(["0", "--device", "cpu"]) == 0 and tree(tmp_path) == ["camera0.out.webm"]
    assert cli.main(["0", "--device", "cpu"]) == 0 and "nothing to do: 1 there already" in capsys.readouterr().err


# -- raw pictures -------------------------------------------------------------------------------------------------


class Pipe:
    """Stands for stdin or stdout."""

    def __init__(self, data: bytes = b""):
        self.buffer = io.BytesIO(data)

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize(("kind", "channels"), [("rgba", 4), ("map", 1), ("white", 3)])
def test_raw_pictures_through_a_pipe(bundled, shared, monkeypatch, capsys, kind, channels):
    arrays = [picture(45, 61, seed) for seed in range(5)]
    stdin, stdout = Pipe(b"".join(array.tobytes() for array in arrays)), Pipe()
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "stdout", stdout)
    assert cli.main(["b", "61", "45", "-t", kind, "--device", "cpu", "--no-steady"]) == 0
    found = np.frombuffer(stdout.buffer.getvalue(), np.uint8).reshape(5, 45, 61, channels).squeeze()
    expected = shared.process_batch(arrays, kind, batch_size=4)
    assert all(np.abs(one.astype(int) - other).max() <= 1 for one, other in zip(found, expected, strict=True))
    assert "5 pictures of 61×45" in capsys.readouterr().err


def test_raw_pictures_of_wrong_sides_are_told(bundled, monkeypatch, capsys):
    stdout = Pipe()
    monkeypatch.setattr(sys, "stdin", Pipe(picture(45, 61).tobytes()))
    monkeypatch.setattr(sys, "stdout", stdout)
    assert cli.main(["b", "40", "40", "--device", "cpu"]) == 1
    assert "stdin ends within a picture" in capsys.readouterr().err and len(stdout.buffer.getvalue()) == 40 * 40 * 4
    assert cli.main(["b", "40", "40", "--crop"]) == 1 and "for images alone" in capsys.readouterr().err


def test_a_camera_goes_to_stdout_as_it_comes(bundled, shared, monkeypatch, capsys):
    class Sized(FakeCapture):
        def get(self, property):
            return {camera.HEIGHT: 48.0, camera.WIDTH: 64.0}.get(property, 20.0)

        def set(self, property, value):
            return True

    stdout = Pipe()
    monkeypatch.setattr(camera, "open_capture", lambda number: Sized(1))
    monkeypatch.setattr(sys, "stdout", stdout)
    assert cli.main(["b", "64", "48", "--camera", "0", "-t", "map", "--device", "cpu", "--no-steady"]) == 0
    found = np.frombuffer(stdout.buffer.getvalue(), np.uint8).reshape(48, 64)
    assert np.abs(found.astype(int) - shared.process(painted(0), "map")).max() <= 1
    assert "1 pictures of 64×48; 0 of 1 pictures were dropped" in capsys.readouterr().err
    assert cli.main(["b", "80", "60", "--camera", "0", "--device", "cpu"]) == 1
    assert "camera 0 has no pictures of 80×60, but of 64×48" in capsys.readouterr().err
