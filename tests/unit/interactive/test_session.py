"""An image that is asked again and again: with the bundled model, and with networks that blend two sizes."""

from functools import cache

import numpy as np
import pytest

from inspyrenet import Remover
from inspyrenet.interactive.cropping import maps as cropped_maps
from inspyrenet.interactive.prompt import Prompt, PromptError, Stroke
from inspyrenet.interactive.session import InteractiveImage
from inspyrenet.networks.network import RemoverError
from tests.tiny_network import picture, write_tiny

SCENE = picture(120, 200)
HEIGHT, WIDTH = SCENE.shape[:2]
CORNER, MIDDLE = (WIDTH * 0.1, HEIGHT * 0.15), (WIDTH * 0.5, HEIGHT * 0.5)


@cache
def bundled(engine: str = "auto") -> InteractiveImage:
    return Remover(engine=engine, edges="none").interactive(SCENE)


def click(place: tuple[float, float], keep: bool) -> Prompt:
    return Prompt(strokes=(Stroke((place,), keep),))


def at(image: np.ndarray, place: tuple[float, float]) -> int:
    return int(image[int(place[1]), int(place[0])])


def test_without_a_prompt_it_is_the_networks_own_map():
    image = bundled()
    own = Remover(edges="none").saliency(SCENE)
    assert own.std() > 10 and np.array_equal(image.saliency(Prompt()), own)


def test_it_says_how_much_memory_it_takes():
    image = bundled()
    features, maps = sum(one.nbytes for one in image.features), image.own.nbytes + image.scene.s3.nbytes
    assert features + maps < image.nbytes < features + 2 * maps


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize(("place", "keep"), [(CORNER, True), (MIDDLE, False)])
def test_a_click_is_obeyed_and_what_it_does_not_reach_stays(engine, place, keep):
    image = bundled(engine)
    answer, before = image.answer(click(place, keep)), image.saliency(Prompt())
    found = image.saliency(click(place, keep))
    assert at(found, place) > 200 if keep else at(found, place) < 55
    far = answer.reach == 0
    assert 0.05 < far.mean() < 1
    assert (answer.probability[far] == image.own[far]).all()
    assert np.count_nonzero(found != before) > 20


def test_engines_agree():
    prompt = Prompt(
        boxes=((60, 20, 80, 80),), strokes=(Stroke((CORNER, MIDDLE)[1:], False), Stroke(((100, 30), (100, 60))))
    )
    ours, theirs = (bundled(engine).saliency(prompt).astype(int) for engine in ("onnx", "torch"))
    assert ours.std() > 5 and np.abs(ours - theirs).max() <= 2


def test_the_later_of_two_strokes_counts():
    last = Prompt(strokes=(Stroke((MIDDLE,), True), Stroke((MIDDLE,), False)))
    assert at(bundled().saliency(last), MIDDLE) < 55


def test_a_mask_stands_in_place_of_the_map():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    mask = ((x / WIDTH - 0.5) / 0.3) ** 2 + ((y / HEIGHT - 0.5) / 0.3) ** 2 < 1
    found = bundled().saliency(Prompt(mask[::6, ::6])) > 127
    assert (found & mask).sum() / (found | mask).sum() > 0.85
    added = bundled().saliency(Prompt(mask[::6, ::6], base="model"))
    assert at(added, MIDDLE) > 200


def test_nothing_outside_a_box_is_object():
    found = bundled().saliency(Prompt(boxes=((60, 30, 40, 50),)))
    outside = np.ones_like(found, bool)
    outside[29:81, 59:101] = False  # maps are enlarged
    assert found.max() > 200 and not found[outside].any()


def test_a_box_without_an_object_gets_one():
    empty = Prompt(boxes=((5, 5, 40, 30),))
    assert bundled().saliency(Prompt())[5:35, 5:45].max() < 100
    assert at(bundled().saliency(empty), (25, 20)) > 127


def test_a_prompt_must_fit_the_image():
    with pytest.raises(PromptError, match="outside the image, which has 200×120"):
        bundled().answer(click((500, 5), True))


# -- networks that blend, and those without a coarse map ----------------------------------------------------------


def test_large_images_are_blended_from_the_changed_map(tmp_path):
    config, weights = write_tiny(tmp_path, threshold=64, transforms="dynamic_resize: {size: 160}")
    remover = Remover(config, ckpt=weights, edges="none")
    image = remover.interactive(SCENE)
    own = remover.saliency(SCENE)
    assert np.abs(image.saliency(Prompt()).astype(int) - own).max() <= 1
    said = image.saliency(Prompt(np.eye(2, dtype=bool)))
    assert np.abs(said.astype(int) - own).max() > 30


def test_others_take_boxes_and_masks_but_no_strokes(tmp_path):
    config, weights = write_tiny(tmp_path)
    remover = Remover(config, ckpt=weights, overrides=["Test.flip=true"], edges="none")  # two passes: no coarse map
    assert remover.network.parts is None
    with pytest.raises(RemoverError, match="takes no strokes"):
        remover.interactive(SCENE)
    with pytest.raises(PromptError, match="no points or strokes"):
        remover.process(SCENE, "map", points=[MIDDLE])
    box = (60, 30, 80, 60)
    found = remover.process(SCENE, "map", boxes=[box])
    assert found[30:90, 60:140].max() > 0 and not found[:30].any() and not found[:, :60].any()
    masked = remover.process(SCENE, "map", mask=inside(box))
    assert masked[30:90, 60:140].max() > 0 and not masked[:20].any() and not masked[:, :45].any()
    for said in (Prompt(inside(box), base="model"), Prompt(boxes=(box,), base="prompt")):
        with pytest.raises(PromptError, match="leave base"):
            remover.process(SCENE, "map", prompt=said)
    with pytest.raises(PromptError, match="nothing within"):
        cropped_maps(remover.network, SCENE, Prompt(inside(box), boxes=((0, 0, 10, 10),)))


def inside(box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y, width, height = box
    mask[y : y + height, x : x + width] = 255
    return mask


def test_a_prompt_and_the_networks_levels_are_refused():
    with pytest.raises(PromptError, match="debug"):
        Remover(edges="none").process(SCENE, "debug", points=[MIDDLE])
