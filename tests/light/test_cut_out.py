"""Cutting out with the bundled model, where nothing but the core is installed."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.light.running import ROOT, finds_the_thing, good, inspyrenet, photograph, run


def alpha_of(image: Image.Image) -> np.ndarray:
    assert image.mode == "RGBA"
    return np.asarray(image)[..., 3]


def test_a_photograph(folder):
    good(inspyrenet("photo.png", cwd=folder))
    assert finds_the_thing(alpha_of(Image.open(folder / "photo.out.png")))


@pytest.mark.parametrize("edges", ["multilevel", "none"])
def test_edges_and_a_background(folder, edges):
    good(inspyrenet("photo.png", "white.jpg", "-t", "white", "--edges", edges, cwd=folder))
    image = np.asarray(Image.open(folder / "white.jpg"))
    assert image.shape == (90, 120, 3) and image[:, :10].mean() > 200 > image[30:60, 40:80].mean()


def test_a_pipe(folder):
    done = good(inspyrenet("i", "-", "-", "-om", cwd=folder, stdin=(folder / "photo.png").read_bytes()))
    assert finds_the_thing(np.asarray(Image.open(io.BytesIO(done.stdout))))


def test_a_folder(folder):
    (folder / "photos" / "sub").mkdir(parents=True)
    for name in ("a.jpg", "sub/b.webp"):
        Image.fromarray(photograph()).save(folder / "photos" / name)
    good(inspyrenet("p", "photos", "cut", cwd=folder))
    for name in ("a.png", "sub/b.png"):
        assert finds_the_thing(alpha_of(Image.open(folder / "cut" / name))), name


def test_run_inference(folder):
    good(run(ROOT / "run" / "Inference.py", "-s", "photo.png", "-o", "out.png", cwd=folder))
    assert finds_the_thing(alpha_of(Image.open(folder / "out.png")))


KINDS = """
import io, json
import numpy as np
from pathlib import Path
from PIL import Image
from inspyrenet import Remover

remover = Remover()
picture = Image.open("photo.png").convert("RGB")
inputs = ["photo.png", Path("photo.png"), picture, np.asarray(picture), Path("photo.png").read_bytes()]
alphas = []
for one, together in zip(inputs, remover.process_batch(inputs)):
    out = remover.process(one)
    assert type(out) is type(together), (type(out), type(together))
    if isinstance(out, bytes):
        out = Image.open(io.BytesIO(out))
    alphas.append(np.asarray(out)[..., 3].tolist())
print(json.dumps(alphas))
"""


def test_every_kind_of_input_gives_the_same(folder):
    first, *others = json.loads(good(run("-c", KINDS, cwd=folder)).stdout)
    assert finds_the_thing(np.array(first))
    assert [other == first for other in others] == [True] * 4
