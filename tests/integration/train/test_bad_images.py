"""Bad and odd files on the whole way from a folder to batches and back to maps."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from inspyrenet.data.augment.transforms import build_transforms
from inspyrenet.data.datasets.build import build_train_dataset
from inspyrenet.data.datasets.torch_datasets import PreflightError, TestDataset, TrainDataset, collate_test, find_pairs
from inspyrenet.data.images.preprocess import Preprocess, to_map
from inspyrenet.data.images.read import read_image
from inspyrenet.data.images.write import write_map
from inspyrenet.engine.train import split_pairs
from inspyrenet.utils.config.load import load_config

STEPS = [("static_resize", {"size": [64, 64]}), ("random_scale_crop", {"p": 1}), ("random_rotate", {"p": 1}),
         ("random_image_enhance", {"p": 1}), ("normalize", {})]  # fmt: skip


def photo(height=40, width=60):
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x, y, x + y], axis=2).astype(np.uint8))


def rotated(path):
    exif = Image.Exif()
    exif[0x0112] = 8
    photo(60, 40).save(path, exif=exif)


ODD = {
    "one.png": lambda path: photo(1, 1).save(path),
    "strip.jpg": lambda path: photo(20, 4000).save(path),
    "gray_alpha.png": lambda path: photo().convert("LA").save(path),
    "rgba.png": lambda path: photo().convert("RGBA").save(path),
    "palette.png": lambda path: photo().convert("P").save(path),
    "cmyk.jpg": lambda path: photo().convert("CMYK").save(path),
    "turned.jpg": rotated,
    "deep.tiff": lambda path: Image.fromarray(np.full((40, 60), 40000, np.uint16)).save(path),
}


def add(folder, name, make, mask_shape=None):
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    make(folder / "images" / name)
    if mask_shape:
        x = np.arange(mask_shape[1]) + np.zeros((mask_shape[0], 1))
        mask = np.where(x <= mask_shape[1] // 2, 255, 0).astype(np.uint8)
        Image.fromarray(mask).save(folder / "masks" / f"{name.split('.')[0]}.png")


def shape_of(name):
    return {"one.png": (1, 1), "strip.jpg": (20, 4000)}.get(name, (40, 60))


@pytest.mark.parametrize("name", ODD)
def test_odd_but_whole_images_train_and_test(tmp_path, name):
    add(tmp_path / "set", name, ODD[name], shape_of(name))
    pairs = find_pairs(tmp_path, ["set"])
    item = TrainDataset(pairs, build_transforms(STEPS))[0]
    assert torch.isfinite(item["image"]).all()
    assert item["mask"].max() == 1
    for preprocess in (Preprocess("static", (64, 64)), Preprocess("dynamic", 1280, base_size=(64, 64))):
        loader = DataLoader(TestDataset(pairs, preprocess), collate_fn=collate_test)
        for batch in next(iter(loader)):
            assert batch["shape"] == [shape_of(name)]
            saliency = torch.sigmoid(batch["image"].mean(1, keepdim=True))
            path = tmp_path / "out" / f"{batch['name'][0]}.png"
            write_map(to_map(saliency.numpy(), batch["shape"][0]), path)
            assert read_image(path).shape[:2] == shape_of(name)


CODINGS = {
    "labels": lambda mask: Image.fromarray(mask // 255 * 2),
    "palette": lambda mask: in_palette(mask // 255),
    "16 bit": lambda mask: Image.fromarray(mask.astype(np.uint16) // 255),
    "red": lambda mask: Image.fromarray(np.dstack([mask, mask * 0, mask * 0])),
    "alpha": lambda mask: Image.fromarray(np.dstack([mask * 0, mask * 0, mask * 0, mask])),
}


def in_palette(indices):
    image = Image.fromarray(indices)
    image.putpalette(bytes([0, 0, 0, 128, 0, 0]))
    return image


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("pipeline", ["fast", "pil"])
def test_samples_are_those_of_masks_of_0_and_255(tmp_path, coding, pipeline):
    for name in ("plain", "coded"):
        add(tmp_path / name, "a.png", lambda path: photo().save(path), (40, 60))
        add(tmp_path / name, "b.png", lambda path: photo().save(path), (40, 60))
    for path in (tmp_path / "coded" / "masks").iterdir():
        CODINGS[coding](np.asarray(Image.open(path))).save(path)
    plain, coded = (
        build_train_dataset(find_pairs(tmp_path, [n]), STEPS, pipeline=pipeline) for n in ("plain", "coded")
    )
    for index in range(2):
        assert plain[index]["mask"].max() == 1
        assert torch.equal(plain[index]["mask"], coded[index]["mask"])
        assert torch.equal(plain[index]["image"], coded[index]["image"])


def truncated(path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:900])


BAD = {
    "truncated.jpg": (truncated, (40, 60), "damaged"),
    "zero.jpg": (lambda path: path.write_bytes(b""), (40, 60), "0 bytes"),
    "text.jpg": (lambda path: path.write_text("see other"), (40, 60), "not an image"),
    "size.jpg": (lambda path: photo().save(path), (40, 61), "60x40 but its mask .* is 61x40"),
    "alone.jpg": (lambda path: photo().save(path), None, "no mask alone"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_pairs_stop_before_the_first_step_or_are_skipped(tmp_path, name, caplog):
    make, mask_shape, message = BAD[name]
    add(tmp_path / "set", "good.jpg", lambda path: photo().save(path), (40, 60))
    add(tmp_path / "set", name, make, mask_shape)
    with pytest.raises(PreflightError, match=f"{name}.*{message}"):
        find_pairs(tmp_path, ["set"])
    assert [pair.name for pair in find_pairs(tmp_path, ["set"], on_bad_pair="skip")] == ["good"]
    assert name in caplog.text


def test_an_empty_data_set_is_an_error(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / "set" / part).mkdir(parents=True)
    with pytest.raises(PreflightError, match="no image in it"):
        find_pairs(tmp_path, ["set"], on_bad_pair="skip")
    with pytest.raises(PreflightError, match="no image in it"):
        find_pairs(tmp_path, ["set"], need_masks=False)


def test_a_file_damaged_after_the_check_stops_training_with_its_name(tmp_path):
    add(tmp_path / "set", "a.jpg", lambda path: photo().save(path), (40, 60))
    dataset = TrainDataset(find_pairs(tmp_path, ["set"]), build_transforms(STEPS))
    (tmp_path / "set/images/a.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.jpg.*0 bytes"):
        next(iter(DataLoader(dataset, num_workers=1)))


def test_what_to_do_with_bad_pairs_holds_for_validation_sets_too(tmp_path, caplog):
    for name in ("learn", "held_out"):
        add(tmp_path / name, "good.jpg", lambda path: photo().save(path), (40, 60))
    add(tmp_path / "held_out", "bad.jpg", truncated, (40, 60))
    (tmp_path / "a.yaml").write_text(
        f"Train: {{Dataset: {{root: '{tmp_path}', sets: [learn], transforms: {{static_resize: {{size: [32, 32]}}}}}}, "
        "Validation: {sets: [held_out]}}\n"
    )
    (config,) = load_config([tmp_path / "a.yaml"], ["Train.Dataset.on_bad_pair=skip"])
    learn, held_out = split_pairs(config.Train, seed=0)
    assert [pair.name for pair in (*learn, *held_out)] == ["good", "good"]
    assert "bad.jpg" in caplog.text
    (config,) = load_config([tmp_path / "a.yaml"])
    with pytest.raises(PreflightError, match=r"bad\.jpg"):
        split_pairs(config.Train, seed=0)
