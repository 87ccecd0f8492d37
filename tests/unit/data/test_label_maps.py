"""Label maps: which files are read, what is said of the others, and that augmentation never invents a label."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inspyrenet.data.augment.label_maps import SceneCompose
from inspyrenet.data.augment.outside import AugmentationError, OutsideTransform
from inspyrenet.data.augment.pspnet import FILL
from inspyrenet.data.augment.transforms import Compose, Sample, build_transforms
from inspyrenet.data.datasets.painted_scenes import NAMES, PaintedScenes
from inspyrenet.data.datasets.pairs import PreflightError
from inspyrenet.data.datasets.scenes import build_scene_dataset, check_labels, find_scenes
from inspyrenet.data.datasets.synthetic import ensure_dataset
from inspyrenet.data.images.label_maps import read_label_map, write_label_map
from inspyrenet.data.images.read import ImageError

LABELS = np.array([[0, 1, 2], [3, 20, 255]], np.uint8)
PALETTE = [(i, 255 - i, 7) for i in range(256)]
PLAIN = {"mean": (0, 0, 0), "std": (1, 1, 1)}


# -- files --------------------------------------------------------------------------------------------------------


def test_gray_and_palette_files_are_read_as_they_are(tmp_path):
    Image.fromarray(LABELS).save(tmp_path / "gray.png")
    write_label_map(LABELS, tmp_path / "new" / "palette.png", PALETTE)
    few = Image.fromarray(LABELS % 4).convert("L")
    few.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])  # of so few colors that Pillow writes 2 bits
    few.save(tmp_path / "few.png", bits=2)
    assert np.array_equal(read_label_map(tmp_path / "gray.png"), LABELS)
    assert np.array_equal(read_label_map(tmp_path / "new" / "palette.png"), LABELS)
    assert np.array_equal(read_label_map(tmp_path / "few.png"), LABELS % 4)
    with Image.open(tmp_path / "new" / "palette.png") as image:
        assert image.mode == "P" and image.convert("RGB").getpixel((1, 1)) == PALETTE[20]


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("a.png", "RGB", "has 8 bits of color"),
        ("a.png", "I;16", "has 16 bits of gray"),
        ("a.png", "1", "has 1 bits of gray"),
        ("a.jpg", "L", "is no PNG"),
    ],
)
def test_files_whose_values_are_no_classes_are_refused(tmp_path, name, mode, said):
    Image.new(mode, (4, 4)).save(tmp_path / name)
    with pytest.raises(ImageError, match=rf"{name}: {said}; a label map is an 8-bit gray or a palette PNG"):
        read_label_map(tmp_path / name)


def test_damaged_and_absent_files_are_named(tmp_path):
    Image.fromarray(LABELS.repeat(50, 0).repeat(50, 1)).save(tmp_path / "cut.png")
    data = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    for name in ("cut.png", "absent.png"):
        with pytest.raises(ImageError, match=rf"{name}: cannot be read"):
            read_label_map(tmp_path / name)


@pytest.fixture
def root(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "A" / kind).mkdir(parents=True)
    for name in ("x", "y"):
        Image.fromarray(np.zeros((2, 3, 3), np.uint8)).save(tmp_path / "A" / "images" / f"{name}.jpg")
        Image.fromarray(LABELS).save(tmp_path / "A" / "masks" / f"{name}.png")
    return tmp_path


def test_scenes_are_found_and_their_labels_checked(root):
    pairs = find_scenes(root, ["A"])
    assert [pair.name for pair in pairs] == ["x", "y"] and np.array_equal(pairs[0].read_mask(), LABELS)
    check_labels(pairs, 21, 255)
    with pytest.raises(PreflightError) as caught:
        check_labels(pairs, 4, 255)
    mask = root / "A" / "masks" / "x.png"
    expected = f"{mask}: has label 20 at row 1, column 1, but there are 4 classes, 0 to 3, and 255 is ignored"
    assert caught.value.problems[0] == expected and len(caught.value.problems) == 2
    with pytest.raises(PreflightError, match="has label 255 at row 1, column 2"):
        check_labels(pairs, 21, 254)


def test_pictures_without_a_label_map_are_named(root):
    (root / "A" / "masks" / "y.png").unlink()
    with pytest.raises(PreflightError, match=r"y\.jpg: no mask y\.\* in .*masks"):
        find_scenes(root, ["A"])
    assert len(find_scenes(root, ["A"], need_masks=False)) == 2
    (root / "A" / "masks").rename(root / "A" / "other")
    with pytest.raises(PreflightError, match=r"A: has no folder masks or"):
        find_scenes(root, ["A"])


@pytest.mark.parametrize(
    ("image", "label_map", "name", "mask_root"),
    [
        ("data/A/A-Image/{}.jpg", "data/A/A-Mask/{}.png", "A", None),
        ("data/A/{}.jpg", "data/A/{}_mask.png", "A", None),
        ("data/A/images/{}.jpg", "data/A/masks/{}.png", "A/list.txt", None),
        ("data/A/images/{}.jpg", "labels/A/{}.png", "A", "labels"),
    ],
)
def test_scenes_are_found_in_every_layout(tmp_path, image, label_map, name, mask_root):
    for one in ("x", "y"):
        for path, array in ((image, np.zeros((2, 3, 3), np.uint8)), (label_map, LABELS)):
            file = tmp_path / path.format(one)
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(file)
    if name.endswith(".txt"):
        (tmp_path / "data" / name).write_text("y\n")
    pairs = find_scenes(tmp_path / "data", [name], mask_root=mask_root and tmp_path / mask_root)
    assert [pair.name for pair in pairs] == (["y"] if name.endswith(".txt") else ["x", "y"])
    assert all(np.array_equal(pair.read_mask(), LABELS) for pair in pairs)


def test_label_maps_of_another_size_are_named_or_left_out(root):
    Image.fromarray(LABELS[:1]).save(root / "A" / "masks" / "y.png")
    with pytest.raises(PreflightError, match=r"y\.jpg: is 3x2 but its mask .*y\.png is 3x1"):
        find_scenes(root, ["A"])
    assert [pair.name for pair in find_scenes(root, ["A"], on_bad_pair="skip")] == ["x"]


def test_a_damaged_label_map_is_left_out_where_asked(root, caplog):
    mask = root / "A" / "masks" / "y.png"
    data = bytearray(mask.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 0xFF
    mask.write_bytes(data)
    pairs = find_scenes(root, ["A"], on_bad_pair="skip")
    assert [pair.name for pair in pairs] == ["x"] and f"skipped: {mask}" in caplog.text
    check_labels(pairs, 21, 255)


# -- augmentation -------------------------------------------------------------------------------------------------


def scene(height: int = 48, width: int = 64) -> Sample:
    """Labels 0, 60, 120 and 180 in quarters, each of one color: a label between two of them would be an invention."""
    quarter = (np.arange(height)[:, None] * 2 // height) * 2 + np.arange(width) * 2 // width
    labels = (60 * quarter).astype(np.uint8)
    return Sample(np.stack([labels + 10] * 3, axis=2), labels)


def augmented(steps: dict, seed: int = 0, ignore_label: int = 255):
    compose = SceneCompose(build_transforms([*steps.items(), ("normalize", PLAIN)]), ignore_label)
    image, labels = compose(scene(), np.random.default_rng(seed))
    return np.rint(image.numpy() * 255).astype(int), labels.numpy()


ALWAYS = {
    "static_resize": {"size": (37, 51)},
    "random_scale_crop": {"range": (0.6, 1.4), "p": 1.0},
    "random_flip": {"p": 0.5},
    "random_rotate": {"range": (-30, 30), "p": 1.0},
    "random_crop": {"size": (40, 45), "scale": (0.5, 2.0)},
}


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), chosen=st.sets(st.sampled_from(sorted(ALWAYS))))
def test_labels_are_never_mixed_and_stay_on_their_pixels(seed, chosen):
    image, labels = augmented({name: ALWAYS[name] for name in ALWAYS if name in chosen}, seed, 251)
    assert labels.dtype == np.uint8 and labels.shape == (1, *image.shape[1:])
    assert set(np.unique(labels)) <= {0, 60, 120, 180, 251}
    around = np.ones((11, 11), np.uint8)  # away from edges, where colors are mixed, and from the window's border
    lowest = cv2.erode(labels[0], around, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    highest = cv2.dilate(labels[0], around, borderType=cv2.BORDER_CONSTANT, borderValue=251)
    inside = (lowest == highest) & (labels[0] != 251)
    assert (np.abs(image[0] - labels[0] - 10) <= 2)[inside].all()


def test_what_lies_outside_is_ignored_and_of_the_mean_color():
    image, labels = augmented({"random_scale_crop": {"range": (0.5, 0.5), "p": 1.0}})
    assert (labels[0, :11] == 255).all() and (labels[0, :, :15] == 255).all()
    assert image[:, 2, 2].tolist() == list(FILL)
    assert np.mean(labels == 255) == pytest.approx(0.75, abs=0.01)
    _, labels = augmented({"random_crop": {"size": (96, 128), "scale": (1, 1)}})
    assert np.mean(labels == 255) == 0.75 and np.array_equal(labels[0, 24:72, 32:96], scene().mask)


def test_flips_are_exact_and_colors_leave_labels_alone():
    image, labels = augmented({"random_flip": {"p": 1.0}})
    assert np.array_equal(labels[0], scene().mask[:, ::-1]) and np.array_equal(image[0] - 10, labels[0])
    _, labels = augmented({"random_blur": {"p": 1.0}, "random_image_enhance": {"p": 1.0}, "random_color": {}})
    assert np.array_equal(labels[0], scene().mask)


def test_steps_that_mix_masks_are_refused():
    with pytest.raises(ValueError, match="RandomTurn mixes the values of masks"):
        SceneCompose(build_transforms([("random_turn", {})]))


def test_augmentations_from_outside_give_no_label_of_their_own():
    def outside(function):
        steps = Compose([OutsideTransform(function, "their:step")], None)
        return SceneCompose(steps, 255)(scene(), np.random.default_rng(0))[1][0].numpy()

    marked = outside(
        lambda image, mask, rng: (image[::-1], np.where(mask[::-1] == 60, 255, mask[::-1]).astype(np.uint8))
    )
    assert np.array_equal(marked == 255, scene().mask[::-1] == 60) and set(np.unique(marked)) == {0, 120, 180, 255}
    with pytest.raises(AugmentationError, match="their:step gives the label 1, which this label map does not have"):
        outside(lambda image, mask, rng: (image, mask + np.uint8(1)))


# -- painted scenes -----------------------------------------------------------------------------------------------


def test_painted_scenes_are_the_same_again_and_have_all_classes():
    scenes = PaintedScenes(12, seed=3, size=(80, 96))
    again, other = PaintedScenes(99, seed=3, size=(80, 96))[4], PaintedScenes(12, seed=4, size=(80, 96))[4]
    assert all(np.array_equal(a, b) for a, b in zip(scenes[4], again, strict=True))
    assert not np.array_equal(scenes[4].image[:64, :64], other.image[:64, :64])
    assert {int(label) for sample in scenes for label in np.unique(sample.mask)} == set(range(len(NAMES)))
    with pytest.raises(ValueError, match="at least 64x64"):
        PaintedScenes(1, size=(32, 99))


def test_a_painted_set_is_read_back_with_its_labels(tmp_path):
    folder = ensure_dataset(tmp_path, "train", 3, 3, (80, 96), PaintedScenes)
    stamp = (folder / ".synthetic.json").stat().st_mtime_ns
    ensure_dataset(tmp_path, "train", 3, 3, (80, 96), PaintedScenes)
    assert (folder / ".synthetic.json").stat().st_mtime_ns == stamp
    pairs = find_scenes(tmp_path, ["train"])
    check_labels(pairs, len(NAMES), 255)
    assert np.array_equal(pairs[2].read_mask(), PaintedScenes(3, 3, (80, 96))[2].mask)
    dataset = build_scene_dataset(pairs, [("static_resize", {"size": (64, 64)}), ("random_flip", {})], seed=1)
    item = dataset[1]
    assert item["image"].shape == (3, 64, 64) and item["mask"].shape == (1, 64, 64)
    assert all((dataset[1][name] == item[name]).all() for name in ("image", "mask"))
    ensure_dataset(tmp_path, "train", 3, 3, (80, 96))  # the other painter's set is another one
    assert set(np.unique(find_scenes(tmp_path, ["train"])[0].read_mask())) >= {0, 255}
