"""What is computed in the browser is what Python computes."""

import numpy as np
import pytest
from PIL import Image

from inspyrenet import Remover
from inspyrenet.data.images.bilinear import interpolated
from inspyrenet.data.images.preprocess import normalized, resize
from inspyrenet.remover.multilevel import multilevel
from tests.integration.web_page.static_host import asked, cut_out, in_script, painted

pytestmark = pytest.mark.system
TALL, WIDE, OTHER = [(400, 240), (900, 640), (33, 900)], [(240, 400), (77, 531), (480, 640)], [(320, 320), (64, 64)]
SIZES = [*TALL, *WIDE, *OTHER, (1000, 1000), (323, 317)]


@pytest.mark.parametrize("size", [(200, 500), (320, 700), (150, 320), (1200, 90), (1, 1)])
def test_images_are_resized_and_normalized_as_in_python(browser, size):
    image = painted(1, *size)
    rgba = np.dstack([image, np.full(size, 255, np.uint8)])
    script = f"""const {{ normalized, resized }} = await import("./resize.js");
        const pixels = {{width: {size[1]}, height: {size[0]}, data: {in_script(rgba)}}};
        const small = resized(pixels, {{width: 320, height: 320}});
        const {{ mean, std }} = await (await fetch("network.json")).json();
        return textOf(%s);"""
    small = asked(browser, script % "small.data").reshape(320, 320, 4)[..., :3]
    assert np.array_equal(small, resize(image, (320, 320)))
    planes = asked(browser, script % "normalized(small, {mean, std})", np.float32).reshape(3, 320, 320)
    np.testing.assert_allclose(planes, normalized(small), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(200, 500), (777, 641), (8, 12), (1, 1), (90, 1)])
def test_maps_are_enlarged_as_in_python(browser, size):
    values = np.random.default_rng(0).random((8, 12), np.float32)
    script = f"""const {{ enlarged }} = await import("./bilinear.js");
        const values = new Float32Array({in_script(values)}.buffer);
        return textOf(enlarged(values, {{width: 12, height: 8}}, {{width: {size[1]}, height: {size[0]}}}));"""
    expected = np.concatenate([np.rint(255 * band) for _, _, band in interpolated(values, size)])
    assert np.abs(asked(browser, script).reshape(size) - expected).max() <= 1


def test_maps_are_those_of_python(browser):
    remover, differences = Remover(device="cpu"), []
    for seed, size in enumerate(SIZES):
        image = painted(seed, *size)
        found, expected = cut_out(browser, image, "map")[..., 0].astype(int), remover.saliency(image)
        assert found.shape == expected.shape and expected.max() > 100
        differences.append(np.abs(found - expected).max())
    assert max(differences) <= 1, differences


def test_edges_have_the_colors_that_python_finds(browser):
    image = painted(3, 300, 420)
    alpha = np.asarray(Image.fromarray(painted(3, 30, 42)).convert("L").resize((420, 300), Image.Resampling.BICUBIC))
    rgba = np.dstack([image, np.full(alpha.shape, 255, np.uint8)])
    script = f"""const {{ unmix }} = await import("./foreground.js");
        const data = new Uint8ClampedArray({in_script(rgba)}), pixels = {{ width: 420, height: 300, data }};
        unmix(pixels, {in_script(alpha)});
        return textOf(data);"""
    found, expected = asked(browser, script).reshape(rgba.shape)[..., :3].astype(int), multilevel(image, alpha)
    soft = (alpha > 0) & (alpha < 255)
    error = np.abs(found - expected)[soft].mean()
    assert error < 1 < np.abs(image.astype(int) - expected)[soft].mean()  # which the photograph's own colors are not
    assert np.array_equal(found[~soft], image[~soft])


def test_what_is_transparent_stays_so(browser):
    image = np.dstack([painted(2, 120, 160), np.full((120, 160), 255, np.uint8)])
    image[:40, :, 3], image[40:60, :, 3] = 0, 180
    found, expected = cut_out(browser, image).astype(int), Remover(device="cpu").process(image).astype(int)
    assert not found[:40, :, 3].any() and found[40:60, :, 3].max() <= 180
    assert np.abs(found - expected)[..., 3].mean() < 0.5  # a canvas keeps colors under alpha less exactly
    assert np.abs(found - expected)[expected[..., 3] > 100].mean() < 1
