"""Lists choose pairs of a set or name files anywhere; each line that names nothing, or two things, is said."""

import pytest

from inspyrenet.data.datasets.lists import write_list
from inspyrenet.data.datasets.pairs import PreflightError, find_pairs
from inspyrenet.engine.eval_sets import find_sets
from inspyrenet.utils.metrics import match_folders

from .test_files import make, save


@pytest.fixture
def root(tmp_path):
    make(tmp_path / "data", "Own/images/{}.jpg", "Own/masks/{}.png", ("a", "b c", "sub/d", "e.f"))
    return tmp_path / "data"


def names(root, text: str, file: str = "Own/train.txt") -> list[str]:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(text, encoding="utf-8")
    return [pair.name for pair in find_pairs(root, [file])]


@pytest.mark.parametrize(
    "text",
    [
        "b c\na\nd\n",
        "b c.jpg\na.jpg\nsub/d.jpg",
        "images/b c.jpg\nimages/a.jpg\nimages/sub/d.jpg",
        "# mine\nb c\n\na \nsub/d",
    ],
)
@pytest.mark.parametrize("file", ["Own/train.txt", "Own/lists/train.txt"])
def test_a_list_chooses_by_name_in_its_order(root, text, file):
    assert names(root, text, file) == ["b c", "a", "sub/d"]


def test_of_a_name_and_a_longer_one_the_exact_one_is_meant(root):
    make(root, "Own/images/{}.jpg", "Own/masks/{}.png", ("a.flip",))
    assert names(root, "a.flip\na\n") == ["a.flip", "a"]
    assert names(root, "a.jpg\na.flip.jpg\n") == ["a", "a.flip"]


def test_a_name_with_blanks_and_dots_is_one_name(root):
    name = "WhatsApp Image 2024-05-01 at 10.15.00 (1)"
    make(root, "Own/images/{}.jpg", "Own/masks/{}.png", (name,))
    assert names(root, f"{name}.jpg\na.jpg\n") == [name, "a"]
    assert names(root, "images/a.jpg masks/a.png\n") == ["a"]


@pytest.mark.parametrize("header", ["name", "image", "id,image"])
def test_a_table_chooses_too(root, header):
    first = "7," if "," in header else ""
    assert names(root, f"{header}\n{first}a\n{first}b c.jpg\n", "Own/val.csv") == ["a", "b c"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("two.txt", "Own/images/a.jpg Own/masks/a.png\nOwn/images/b c.jpg Own/masks/b c.png\n"),
        ("Own/two.txt", "images/a.jpg\tmasks/a.png\nimages/b c.jpg\tmasks/b c.png\n"),
        ("Own/two.txt", "Own/images/a.jpg, Own/masks/a.png\nOwn/images/b c.jpg, Own/masks/b c.png\n"),
        ("two.csv", "mask,split,image\nOwn/masks/a.png,x,Own/images/a.jpg\nOwn/masks/b c.png,x,Own/images/b c.jpg\n"),
    ],
)
def test_pairs_of_paths(root, file, text):
    assert names(root, text, file) == ["a", "b c"]
    assert [pair.mask.name for pair in find_pairs(root, [file])] == ["a.png", "b c.png"]


def test_what_is_wrong_is_said_in_one_round(root):
    save(root / "Own" / "images" / "other" / "d.jpg")
    save(root / "Own" / "masks" / "other" / "d.png")
    with pytest.raises(PreflightError) as caught:
        names(root, "a\nz\na\nd\n")
    text = str(caught.value)
    for part in ("line 2: z is no image of", "line 3: a is listed twice", "line 4: d may be other/d or sub/d"):
        assert part in text
    with pytest.raises(PreflightError, match=r"line 1: images/z\.jpg is neither in"):
        names(root, "images/z.jpg masks/a.png")
    with pytest.raises(PreflightError, match="names nothing"):
        names(root, "\n")
    with pytest.raises(PreflightError, match="columns mask and gt may both name the masks"):
        names(root, "image,mask,gt\na,b,c\n", "Own/x.csv")
    with pytest.raises(PreflightError, match="hold no images and masks"):
        names(root, "a\n", "x.txt")


def test_a_list_is_tested_and_scored_like_a_set(root, tmp_path):
    write_list(root / "Own" / "val.txt", ["sub/d", "a"])
    tested = find_pairs(root, ["Own/val.txt"], need_masks=False)
    assert [(pair.dataset, pair.name) for pair in tested] == [("Own/val.txt", "sub/d"), ("Own/val.txt", "a")]
    for pair in tested:
        save(tmp_path / "maps" / pair.dataset / f"{pair.name}.png")
    (scored,) = match_folders(find_sets(tmp_path / "maps", root, ["Own/val.txt"]))
    assert sorted(pair.name for pair in scored.pairs) == ["a", "sub/d"]
    found = find_pairs(root, ["Own/val.txt"], mask_root=tmp_path / "data")
    assert [pair.mask for pair in found] == [root / "Own/masks/sub/d.png", root / "Own/masks/a.png"]


def test_names_that_several_files_have_are_said(root):
    save(root / "Own" / "images" / "a.bmp")
    save(root / "Own" / "masks" / "b c.bmp")
    assert names(root, "sub/d\n") == ["sub/d"]
    with pytest.raises(PreflightError) as caught:
        names(root, "a\nb c\nsub/d\n")
    assert "has several images called a; keep one" in str(caught.value)
    assert "has several masks called b c; keep one" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"a\n\xe4\n", r"train\.txt: is no text in UTF-8 \(byte 2\)"), (b".\na\n", "line 1: . is no image of")],
)
def test_lists_that_cannot_be_understood_are_named(root, data, message):
    (root / "Own" / "train.txt").write_bytes(data)
    with pytest.raises(PreflightError, match=message):
        find_pairs(root, ["Own/train.txt"])
