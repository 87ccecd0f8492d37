"""Animated GIF, WebP and PNG out and in: pixels, transparency, times, how often they play, and what cannot be kept."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.images.encode import FormatError
from inspyrenet.data.images.read import ImageError
from inspyrenet.video.animations.reading import AnimatedFile
from inspyrenet.video.animations.writing import AnimationWriter
from inspyrenet.video.errors import VideoError
from inspyrenet.video.opening import needs_av
from inspyrenet.video.source import Picture
from tests.moving import cut_off

TIMES, LAST = (0, 30, 90, 120), 60  # in units of 1/600 s
SECONDS = [0.05, 0.1, 0.05, 0.1]
KINDS = ("gif", "webp", "apng")


def source(plays=0, tracks=(), base=Fraction(1, 600)):
    return SimpleNamespace(time_base=base, plays=plays, tracks=tracks)


def moving(number, channels=4, height=45, width=61):
    """A red square that goes to the right before a colored ground; alpha: soft at the left, 0 above."""
    image = np.full((height, width, 4), (40 + 10 * number, 90, 200, 255), np.uint8)
    image[20:36, 20 + 3 * number : 40 + 3 * number, :3] = (230, 20, 20)
    image[..., 3] = np.minimum(255, 8 * np.arange(width))
    image[:10] = 0
    return image[..., 0] if channels == 1 else np.ascontiguousarray(image[..., :channels])


def write(path, arrays, times=TIMES, last=LAST, **of_source):
    writer = AnimationWriter(path, path.suffix[1:], source(**of_source))
    for number, (array, time) in enumerate(zip(arrays, times, strict=True)):
        writer.picture(Picture(array, time, last if number == len(times) - 1 else times[number + 1] - time))
    writer.finish(path)
    return writer


def read(path):
    """(pictures, durations in seconds, the file after reading)"""
    file = AnimatedFile(path)
    pictures = list(file)
    file.close()
    return (
        [picture.array for picture in pictures],
        [float(picture.duration * file.time_base) for picture in pictures],
        file,
    )


# -- out, and in again ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_animated_png_keeps_every_pixel(tmp_path, channels):
    arrays = [np.random.default_rng(seed).integers(0, 256, (45, 61, 4), dtype=np.uint8) for seed in range(3)]
    arrays = [
        *[array[..., 0] if channels == 1 else array[..., :channels].copy() for array in arrays],
        moving(3, channels),
    ]
    writer = write(tmp_path / "a.apng", arrays)
    found, durations, file = read(tmp_path / "a.apng")
    assert durations == pytest.approx(SECONDS) and file.frames == 4 and writer.note is None
    for array, seen in zip(arrays, found, strict=True):
        assert np.array_equal(seen[..., 0] if channels == 1 else seen, array)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_animated_webp_keeps_soft_edges(tmp_path, channels):
    arrays = [moving(number, channels) for number in range(4)]
    assert write(tmp_path / "a.webp", arrays).note is None
    found, durations, file = read(tmp_path / "a.webp")
    assert durations == pytest.approx(SECONDS) and file.frames == 4
    for array, seen in zip(arrays, found, strict=True):
        if channels == 4:
            assert np.array_equal(seen[..., 3], array[..., 3])
            seen, array = (one[..., :3] * (array[..., 3:] == 255) for one in (seen, array))
        array = array if array.ndim == 3 else np.repeat(array[..., None], 3, 2)
        assert np.abs(seen.astype(int) - array).mean() < 8


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_gif_has_edges_without_softness_and_says_so(tmp_path, channels):
    arrays = [moving(number, channels) for number in range(4)]
    writer = write(tmp_path / "a.gif", arrays)
    found, durations, file = read(tmp_path / "a.gif")
    assert durations == pytest.approx(SECONDS) and file.frames == 4
    assert (channels == 4) == ("gif has no soft edges" in (writer.note or ""))
    for array, seen in zip(arrays, found, strict=True):
        if channels == 4:
            opaque = array[..., 3] >= 128
            assert np.array_equal(seen[..., 3] == 255, opaque) and set(np.unique(seen[..., 3])) == {0, 255}
            seen, array = seen[..., :3][opaque], array[..., :3][opaque]
        array = np.repeat(array[..., None], 3, 2) if channels == 1 else array
        assert np.abs(seen[..., :3].astype(int) - array).max() <= 2  # few colors: each has a place in the palette


def test_gif_takes_the_colors_that_a_picture_has_most_of(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    write(tmp_path / "a.gif", [array, array[::-1].copy()], (0, 30))
    for seen, expected in zip(read(tmp_path / "a.gif")[0], (array, array[::-1]), strict=True):
        assert np.abs(seen.astype(int) - expected).mean() < 25


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plays", [0, 1, 2, 7])
def test_how_often_it_plays_is_kept(tmp_path, kind, plays):
    write(tmp_path / f"a.{kind}", [moving(0), moving(1)], (0, 30), plays=plays)
    assert read(tmp_path / f"a.{kind}")[2].plays == plays


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_comes_twice_or_shows_nothing(tmp_path, kind):
    nothing = np.zeros((45, 61, 4), np.uint8)
    write(tmp_path / f"a.{kind}", [moving(0), moving(0), nothing, moving(1)])
    found, durations, _ = read(tmp_path / f"a.{kind}")
    # browsers and Pillow alike may show one picture for the time of two that are the same
    assert sum(durations) == pytest.approx(sum(SECONDS)) and len(found) >= 3
    assert found[-2].shape[2] == 4 and found[-2][..., 3].max() == 0 and found[-1][30, 55, 3] == 255


def test_rounded_times_do_not_add_up(tmp_path):
    """30 pictures a second in hundredths: 3, 3, 4."""
    write(tmp_path / "a.gif", [moving(number % 5) for number in range(31)], range(31), 1, base=Fraction(1, 30))
    durations = read(tmp_path / "a.gif")[1]
    assert set(durations) == {0.03, 0.04} and sum(durations[:30]) == pytest.approx(1)


def test_pictures_that_gif_would_show_slowly_are_left_out_and_counted(tmp_path):
    writer = write(
        tmp_path / "a.gif", [moving(number % 5) for number in range(120)], range(120), 1, base=Fraction(1, 120)
    )
    found, durations, _ = read(tmp_path / "a.gif")
    assert min(durations) >= 0.02 and sum(durations) == pytest.approx(1, abs=0.011)
    assert f"{120 - len(found)} pictures left out: gif shows each for 0.02 s at least" in writer.note
    assert writer.frames == len(found)


@pytest.mark.parametrize("after", [(), (1200,)])
def test_a_picture_that_comes_at_once_after_another_stays_as_long_as_it_should(tmp_path, after):
    """10 ms after the one before, for two seconds; the last one, or not."""
    writer = write(
        tmp_path / "a.gif", [moving(number, 3) for number in range(3 + len(after))], (0, 60, 66, *after), 1200 - 66
    )
    found, durations, _ = read(tmp_path / "a.gif")
    assert writer.frames == len(found) == 2 + len(after) and "1 pictures left out" in writer.note
    assert np.abs(found[1][..., :3].astype(int) - moving(2, 3)).max() <= 2
    assert durations[:2] == pytest.approx([0.1, 1.9])


@pytest.mark.parametrize(("kind", "seconds"), [("gif", 1000), ("webp", 1000), ("apng", 1000)])
def test_a_picture_may_last_long(tmp_path, kind, seconds):
    write(tmp_path / f"a.{kind}", [moving(0), moving(1)], (0, 600 * seconds))
    assert sum(read(tmp_path / f"a.{kind}")[1]) == pytest.approx(seconds + 0.1, rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_sound_is_gone_and_that_is_said(tmp_path, kind):
    note = write(tmp_path / f"a.{kind}", [moving(0, 3)], (0,), tracks=("aac",)).note
    assert note == f"{kind} has no sound; mp4, webm and mov keep it"


@pytest.mark.parametrize(("kind", "longest"), [("gif", 65535), ("webp", 16383)])
def test_pictures_too_large_for_the_format(tmp_path, kind, longest):
    with pytest.raises(FormatError, match=f"{kind} files end at {longest} pixels"):
        write(tmp_path / f"a.{kind}", [np.zeros((longest + 1, 1, 3), np.uint8)], (0,))


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"cannot write .*a\.gif .*; choose a writable folder"):
        write(tmp_path / "file" / "a.gif", [moving(0)], (0,))
    writer = AnimationWriter(tmp_path / "a.gif", "gif", source())
    writer.picture(Picture(moving(0), 0, 30))
    writer.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# -- in -------------------------------------------------------------------------------------------------------------


def saved(path, frames, **options):
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


def test_times_are_those_of_browsers(tmp_path):
    frames = [Image.fromarray(moving(number, 3)) for number in range(3)]
    path = saved(tmp_path / "a.gif", frames, duration=[0, 20, 500])
    assert read(path)[1] == [0.1, 0.02, 0.5] and read(path)[2].plays == 1


def test_what_no_frame_of_a_webp_covers_is_transparent(tmp_path):
    """libwebp cuts frames to what is there; their alpha channel goes with what is cut away."""
    colors = np.random.default_rng(0).integers(0, 256, (3, 6, 8, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    frames = [np.dstack([frame, np.full((48, 64), 255, np.uint8)]) for frame in colors]
    for frame in frames:
        frame[:, 44:] = 0
    path = saved(tmp_path / "a.webp", [Image.fromarray(frame) for frame in frames], duration=40)
    assert not path.read_bytes()[20] & 0x10
    for array in read(path)[0]:
        assert array[:, 44:, 3].max() == 0 and array[:, :44, 3].min() == 255


def test_a_picture_for_programs_that_know_no_animations_is_no_frame(tmp_path):
    frames = [Image.fromarray(moving(number, 3)) for number in range(3)]
    path = saved(tmp_path / "a.png", frames, default_image=True, duration=40)
    found, _, file = read(path)
    assert file.frames == 2 and [np.array_equal(a, moving(n, 3)) for n, a in enumerate(found, 1)] == [True, True]


@pytest.mark.parametrize("kind", KINDS)
def test_an_animation_cut_short_gives_what_is_there(tmp_path, kind):
    noise = [np.random.default_rng(seed).integers(0, 256, (45, 61, 3), dtype=np.uint8) for seed in range(4)]
    write(tmp_path / f"a.{kind}", noise)
    try:
        found, _, file = read(cut_off(tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"))
    except ImageError as error:  # libwebp refuses the whole
        assert kind == "webp" and "b.webp" in str(error)
        return
    assert 1 <= len(found) < 4 and (file.warning or file.frames == len(found))


def test_what_is_no_animation(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"hello, this is a letter\n" * 30)
    with pytest.raises(ImageError, match="not an image of a known kind"):
        AnimatedFile(tmp_path / "a.gif")
    Image.fromarray(moving(0, 3)).save(tmp_path / "b.gif", "JPEG")
    with pytest.raises(VideoError, match="is no GIF, WebP or PNG in spite of its name, but JPEG"):
        AnimatedFile(tmp_path / "b.gif")


def test_pyav_is_needed_for_videos_alone(tmp_path):
    names = ("a.gif", "a.mp4"), ("a.webm", "a.gif"), ("a.gif", "a.webp"), ("a.png", "a.frames")
    assert [needs_av(tmp_path / one, tmp_path / other) for one, other in names] == [True, True, False, False]
