"""Remover: any kind of image in, the same kind out, the same map as everywhere else."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from inspyrenet import Remover
from inspyrenet.data.images.encode import FormatError, encode
from inspyrenet.data.images.preprocess import to_map
from inspyrenet.data.images.read import ImageError, read_image
from inspyrenet.engine import build
from inspyrenet.engine.jit import CompilerMissing
from inspyrenet.engine.presets import resolve_model
from inspyrenet.engine.test import predictor_of
from inspyrenet.lib.models.inspyrenet import InSPyReNet
from inspyrenet.networks import torch_parts
from inspyrenet.networks.network import LAPLACIAN, NotEnoughMemory
from inspyrenet.remover.compositing import CutoutError
from inspyrenet.remover.foreground import ForegroundError
from inspyrenet.remover.remover import RemoverError
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.system.device import DeviceError
from inspyrenet.utils.system.precision import PrecisionError
from tests.tiny_network import DYNAMIC, picture, write_tiny

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def remover(tmp_path_factory):
    config, weights = write_tiny(tmp_path_factory.mktemp("tiny"))
    return Remover(config, "cpu", weights, edges="none")


@pytest.fixture(scope="module")
def saliency(remover):
    return remover.process(picture(), type="map")


def test_looks_at_the_mirrored_image_where_the_config_says_so(remover, saliency, tmp_path):
    config, weights = write_tiny(tmp_path)
    both = Remover(config, "cpu", weights, edges="none", overrides=["Test.flip=true"])
    other = remover.process(np.ascontiguousarray(picture()[:, ::-1]), type="map")[:, ::-1]
    assert np.abs(saliency.astype(int) - other).max() > 3  # two opinions, or the mean would say nothing
    mean = (saliency.astype(float) + other) / 2
    assert np.abs(both.process(picture(), type="map") - mean).max() <= 2


# -- kinds --------------------------------------------------------------------------------------------------------


def test_an_array_gives_an_array(remover, saliency):
    result = remover.process(picture())
    assert result.dtype == np.uint8 and result.shape == (48, 80, 4)
    assert np.array_equal(result[..., :3], picture()) and np.array_equal(result[..., 3], saliency)
    assert saliency.std() > 20  # it says something


def test_floats_give_floats(remover, saliency):
    for dtype in (np.float32, np.float64):
        result = remover.process((picture() / 255).astype(dtype), type="map")
        assert result.dtype == dtype and np.allclose(result * 255, saliency)


def test_16_bit_and_gray_and_alpha_arrays_are_taken(remover, saliency):
    deep = picture().astype(np.uint16) * 257
    assert np.array_equal(remover.process(deep, type="map"), saliency)
    with_alpha = np.dstack([picture(), np.full((48, 80), 7, np.uint8)])
    assert remover.process(with_alpha, type="map").max() == 7
    assert remover.process(picture()[..., 0]).shape == (48, 80, 4)


@pytest.mark.parametrize(("type", "mode"), [("rgba", "RGBA"), ("map", "L"), ("green", "RGB")])
def test_pillow_gives_pillow(remover, type, mode):
    result = remover.process(Image.fromarray(picture()), type=type)
    assert isinstance(result, Image.Image) and result.mode == mode and result.size == (80, 48)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F", "HSV"])
def test_every_mode_of_pillow_is_taken(remover, mode):
    image = Image.fromarray(picture())
    if mode == "I;16":
        image = Image.fromarray(picture()[..., 0].astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(picture()[..., 0].astype(np.float32) / 255)
    elif mode in ("LA", "1"):
        image = image.convert("L").convert(mode)
    else:
        image = image.convert(mode)
    assert remover.process(image).size == (80, 48)


def test_orientation_is_applied(remover, saliency):
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(picture())))
    turned.getexif()[0x0112] = 6  # rotate clockwise to view
    buffer = io.BytesIO()
    turned.save(buffer, "PNG", exif=turned.getexif())
    for image in (Image.open(buffer), turned):
        assert np.array_equal(np.asarray(remover.process(image, type="map")), saliency)
    assert np.array_equal(
        read_image(remover.process(buffer.getvalue(), type="white")), remover.process(picture(), "white")
    )


def test_bytes_give_png_bytes(remover, saliency):
    data = encode(picture())
    for given in (data, bytearray(data), io.BytesIO(data)):
        result = remover.process(given, type="map")
        assert isinstance(result, bytes) and np.array_equal(np.asarray(Image.open(io.BytesIO(result))), saliency)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
def test_a_tensor_gives_a_tensor(remover, saliency, dtype):
    tensor = torch.from_numpy(picture()).permute(2, 0, 1)
    tensor = tensor if dtype == torch.uint8 else (tensor.float() / 255).to(dtype)
    result = remover.process(tensor, type="map")
    assert result.dtype == dtype and result.shape == (1, 48, 80)
    gray = result[0] if dtype == torch.uint8 else result[0].float() * 255
    assert np.abs(gray.numpy() - saliency.astype(float)).max() <= 1
    assert remover.process(tensor).shape == (4, 48, 80)


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_path_gives_a_pillow_image_and_nothing_is_written(remover, saliency, tmp_path, kind):
    source = tmp_path / "photo.png"
    Image.fromarray(picture()).save(source)
    before = source.read_bytes()
    result = remover.process(kind(source), type="map")
    assert isinstance(result, Image.Image) and result.mode == "L" and np.array_equal(np.asarray(result), saliency)
    (cut,) = remover.process_batch([kind(source)])
    assert cut.mode == "RGBA" and cut.size == (80, 48)
    assert list(tmp_path.iterdir()) == [source] and source.read_bytes() == before


def test_a_named_output_is_written_as_well(remover, saliency, tmp_path):
    result = remover.process(picture(), "map", output=tmp_path / "new" / "map.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "new" / "map.png")), result)
    assert np.array_equal(result, saliency)
    remover.process(encode(picture()), "white", output=str(tmp_path / "new" / "map.webp"))
    assert Image.open(tmp_path / "new" / "map.webp").size == (80, 48)


@pytest.mark.parametrize(
    ("name", "message"), [("cut.jpg", "no transparency"), ("cut", "unknown format"), ("c.mp4", "mp4")]
)
def test_an_output_that_cannot_be_is_refused_before_the_network_runs(remover, monkeypatch, tmp_path, name, message):
    monkeypatch.setattr(remover, "cut", lambda *_: pytest.fail("the network ran"))
    with pytest.raises(FormatError, match=message):
        remover.process(picture(), output=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "an image is a Pillow image"),
        (5, "not int"),
        (np.zeros((2, 2, 2), np.uint8), r"not \(2, 2, 2\)"),
        (np.zeros((0, 3, 3), np.uint8), "an array is"),
        (np.zeros((2, 2, 3), np.int64), "not int64"),
        (np.full((2, 2, 3), 255.0), r"0\.\.1"),
        (np.full((2, 2, 3), np.nan), r"0\.\.1"),
        (torch.zeros(1, 3, 8, 8), "one by one"),
        (b"", "empty"),
        (b"no image", "not an image"),
        (encode(picture())[:200], "damaged"),
        ("no/such.jpg", r"no/such\.jpg: no such file"),
        (Image.new("RGB", (0, 5)), "no pixels"),
    ],
)
def test_what_is_no_image_is_told(remover, wrong, message):
    with pytest.raises(ImageError, match=message):
        remover.process(wrong)


def test_a_damaged_pillow_image_is_told(remover):
    with pytest.raises(ImageError, match="damaged"):
        remover.process(Image.open(io.BytesIO(encode(picture(), "jpg")[:900])))


def test_the_first_frame_of_an_animation_is_taken_and_said(remover, caplog):
    frames = [Image.fromarray(picture(seed=seed)) for seed in (0, 1)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    result = remover.process(buffer.getvalue(), type="white")
    assert "the first is taken" in caplog.text and read_image(result).shape == (48, 80, 3)


# -- results ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (20, 700), (33, 31)])
def test_any_size_comes_back_as_it_was(remover, size):
    assert remover.process(np.full((*size, 3), 90, np.uint8)).shape == (*size, 4)


def test_threshold_and_reverse(remover, saliency):
    hard = remover.process(picture(), type="map", threshold=0.5)
    assert np.array_equal(hard, np.where(saliency > 127.5, 255, 0))
    assert np.array_equal(remover.process(picture(), type="map", reverse=True), 255 - saliency)


def test_debug_shows_the_levels(remover):
    result = remover.process(picture(), type="debug")
    assert result.ndim == 3 and result.shape[1] > 5 * 80


@pytest.mark.parametrize("options", [{"type": "rgb"}, {"threshold": 2}])
def test_a_wrong_option_is_told_before_the_network_runs(remover, options, monkeypatch):
    monkeypatch.setattr(remover, "network", None)
    with pytest.raises(CutoutError):
        remover.process(picture(), **options)


def test_edges_are_estimated_where_they_show_and_timed_apart(tmp_path):
    config, weights = write_tiny(tmp_path)
    remover = Remover(config, "cpu", weights, edges="fusion")
    plain, soft = picture(), (saliency := remover.saliency(picture())) % 255 > 0
    result = remover.cut(plain, "rgba")
    assert set(result.seconds) == {"network", "edges", "composing"}
    assert np.array_equal(result.array[~soft][:, :3], plain[~soft]) and not np.array_equal(result.array[..., :3], plain)
    assert np.array_equal(result.array[..., 3], saliency)
    assert "edges" not in remover.cut(plain, "rgba", threshold=0.5).seconds
    assert "edges" not in remover.cut(plain, "map").seconds


def test_sizing_is_the_config_s_where_nothing_is_said_and_static_for_the_published_modes(tmp_path, monkeypatch):
    config, weights = write_tiny(tmp_path, transforms=DYNAMIC, threshold=100)
    assert Remover(config, "cpu", weights).network.preprocess.sizing == "dynamic"
    spec = resolve_model(config, weights)
    monkeypatch.setattr("inspyrenet.networks.torch_network.resolve_model", lambda *words: spec)
    monkeypatch.setattr("inspyrenet.networks.choose.check_names", lambda *names: None)  # its weights are not here
    assert Remover("fast", "cpu").network.preprocess.sizing == "static"
    assert Remover("fast", "cpu", resize="dynamic").network.preprocess.sizing == "dynamic"


# -- batches and threads ------------------------------------------------------------------------------------------


def test_a_batch_equals_its_images_one_by_one(remover):
    images = [picture(seed=seed) for seed in range(3)] + [picture(31, 90, 5), Image.fromarray(picture(seed=6))]
    together = remover.process_batch(images, type="map", batch_size=2)
    assert [type(one).__module__.split(".")[0] for one in together] == ["numpy"] * 4 + ["PIL"]
    for image, result in zip(images, together, strict=True):
        alone = np.asarray(remover.process(image, type="map"))
        assert np.abs(np.asarray(result).astype(int) - alone).max() <= 1


def test_a_batch_of_many_network_sizes_keeps_its_order(tmp_path):
    config, weights = write_tiny(tmp_path, transforms=DYNAMIC, threshold=100)
    remover = Remover(config, "cpu", weights, resize="dynamic")
    images = [picture(60, 90), picture(200, 170), picture(60, 91, 3), picture(199, 170, 4)]
    for image, result in zip(images, remover.process_batch(images, type="map"), strict=True):
        assert np.abs(result.astype(int) - remover.process(image, type="map")).max() <= 1


def test_batches_come_from_any_iterable(remover):
    assert remover.process_batch(iter([])) == []
    assert len(remover.process_batch((picture(seed=seed) for seed in range(3)), batch_size=2)) == 3
    with pytest.raises(RemoverError, match="at least 1"):
        remover.process_batch([picture()], batch_size=0)


def test_many_threads_share_one_remover(remover):
    images = [picture(40 + 8 * seed, 80, seed) for seed in range(4)]
    expected = [remover.process(image) for image in images]
    together = threading.Barrier(4)

    def work(place):
        together.wait()
        return [remover.process(images[(place + i) % 4]) for i in range(4)]

    with ThreadPoolExecutor(4) as pool:
        for place, results in enumerate(pool.map(work, range(4))):
            assert all(np.array_equal(results[i], expected[(place + i) % 4]) for i in range(4))


# -- options ------------------------------------------------------------------------------------------------------


def test_a_device_that_is_not_there_is_an_error(tmp_path):
    config, weights = write_tiny(tmp_path)
    with pytest.raises(DeviceError, match="cpu"):
        Remover(config, "cuda:77", weights)
    assert Remover(config, torch.device("cpu"), weights).device == "cpu"


@pytest.mark.parametrize(
    ("options", "error"),
    [({"resize": "big"}, RemoverError), ({"edges": "magic"}, ForegroundError), ({"precision": "int4"}, PrecisionError)],
)
def test_a_wrong_option_is_told(tmp_path, options, error):
    config, weights = write_tiny(tmp_path)
    with pytest.raises(error, match=next(iter(options.values()))):
        Remover(config, "cpu", weights, **options)


def test_bfloat16_stays_close(tmp_path, saliency):
    config, weights = write_tiny(tmp_path)
    half = Remover(config, "cpu", weights, precision="bfloat16").process(picture(), type="map")
    assert np.abs(half.astype(int) - saliency).mean() < 10


def test_patch_merging_takes_any_size_and_leaves_small_images_as_they_are(tmp_path, saliency):
    config, weights = write_tiny(tmp_path)
    remover = Remover(config, "cpu", weights, patch_merging=True)
    assert remover.process(picture(90, 200), type="map").shape == (90, 200)
    small, large = remover.process_batch([picture(), picture(90, 200)], type="map")
    assert np.array_equal(small, saliency) and large.shape == (90, 200)


def test_patches_are_merged_as_the_test_section_says(tmp_path):
    config, weights = write_tiny(tmp_path, transforms=DYNAMIC)
    words = ["Test.patch_merging=true"]
    remover, plain = (Remover(config, "cpu", weights, overrides=some, engine="torch") for some in (words, []))
    image = picture(150, 200)
    (test,) = load_config([config], words)
    predictor = predictor_of(test, build.loaded(test, weights).eval(), torch.device("cpu"))
    prepared = (torch.from_numpy(one)[None] for one in remover.network.preprocess(image))
    expected = to_map(predictor(*prepared).logits.sigmoid().numpy(), image.shape[:2])
    found = remover.process(image, type="map")
    assert np.array_equal(found, expected) and not np.array_equal(found, plain.process(image, type="map"))


def test_patch_merging_is_at_the_images_own_size(tmp_path):
    config, weights = write_tiny(tmp_path)
    with pytest.raises(RemoverError, match="leave --resize dynamic out"):
        Remover(config, "cpu", weights, "dynamic", patch_merging=True)


def test_patch_merging_is_for_networks_with_a_pyramid(tmp_path):
    _, weights = write_tiny(tmp_path)
    with pytest.raises(RemoverError, match="is for InSPyReNets, and PSPNet_ResNet50 is none"):
        Remover("PSPNet_ResNet50", "cpu", weights, patch_merging=True)


def test_jit_without_a_compiler_says_so(tmp_path, monkeypatch):
    config, weights = write_tiny(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(CompilerMissing, match=r"C\+\+ compiler"):
        Remover(config, "cpu", weights, jit=True)


def test_too_little_memory_says_what_to_lower(remover, monkeypatch):
    def full(image, small, levels):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(remover.network, "predictor", full)
    with pytest.raises(RemoverError, match="1 image of 64×64 on cpu: take resize static"):
        remover.process(picture())


def test_too_little_memory_for_a_part_says_the_same(remover, monkeypatch):
    def full(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    parts, images = remover.network.parts, np.zeros((2, 3, 64, 64), np.float32)
    features, s3 = parts.encode(images)
    details = parts.decode(features, s3, LAPLACIAN)
    for owner, name in ((InSPyReNet, "decode"), (InSPyReNet, "reconstruct"), (torch_parts, "add_details")):
        monkeypatch.setattr(owner, name, full)
    for call in (
        lambda: parts.encode(images),
        lambda: parts.decode(features, s3, ["S0"]),
        lambda: parts.blend(images[:, :1], s3, details, ["S0"]),
    ):
        with pytest.raises(NotEnoughMemory, match="2 images of 64×64 on cpu: take resize static"):
            call()


def test_a_compiler_that_fails_says_what_to_do(remover, monkeypatch):
    broken = type("InductorError", (RuntimeError,), {"__module__": "torch._inductor.exc"})

    def fail(image, small, levels):
        raise broken("ImportError: x.so: file too short\nand more")

    monkeypatch.setattr(remover.network, "predictor", fail)
    with pytest.raises(
        RemoverError, match=r"compiling the network failed \(ImportError: x\.so: file too short\): leave jit"
    ):
        remover.process(picture())


@pytest.mark.parametrize("one", [np.zeros((8, 8, 3), np.uint8), Image.new("RGB", (8, 8))])
def test_one_image_is_no_batch(remover, one):
    with pytest.raises(RemoverError, match="images is a list of images"):
        remover.process_batch(one)


def test_mending_is_a_mending(remover):
    with pytest.raises(CutoutError, match=r"such as Mending\(crop=5\)"):
        remover.process(np.zeros((8, 8, 3), np.uint8), mending={"crop": 5})


def test_a_home_is_a_home_in_every_path(remover, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    remover.process("~/a.png", "map", output="~/b.png")
    assert (tmp_path / "b.png").is_file()
