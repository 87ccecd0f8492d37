"""Archives of data sets and maps: laid out as ours, and not to be trusted."""

import io
import shutil
import stat
import struct
import zipfile
from types import SimpleNamespace

import pytest

from inspyrenet.data.hub import archives, download, registry
from inspyrenet.data.hub.archives import ArchiveError, unpack_dataset, unpack_maps
from inspyrenet.data.hub.download import DownloadError, fetch_published
from inspyrenet.data.hub.registry import KINDS, Published, UnknownName, find, load


def archive(path, *names, **contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        for name in names:
            content.writestr(name, b"" if name.endswith("/") else b"picture")
        for name, data in contents.items():
            content.writestr(name, data)
    return path


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# -- layout -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("images/a.jpg", "masks/a.png"),
        ("ECSSD/images/a.jpg", "ECSSD/masks/a.png", "ECSSD/readme.txt"),
        ("deep/er/Imgs/a.jpg", "deep/er/GT/a.png", "__MACOSX/deep/._a.jpg", "deep/.DS_Store"),
        ("im/a.jpg", "gt/a.png"),
    ],
)
def test_a_data_set_ends_in_images_and_masks(tmp_path, names):
    target = tmp_path / "Test_Dataset" / "ECSSD"
    assert unpack_dataset(archive(tmp_path / "a.zip", *names), target) == 1
    assert tree(target) == ["images/a.jpg", "masks/a.png"]
    assert [path.name for path in target.parent.iterdir()] == ["ECSSD"]


@pytest.mark.parametrize("names", [("a.png", "b.png"), ("ECSSD/a.png", "ECSSD/b.png"), ("x/y/a.png", "x/y/b.png")])
def test_maps_end_in_their_folder(tmp_path, names):
    target = tmp_path / "snapshots" / "Net" / "ECSSD"
    assert unpack_maps(archive(tmp_path / "a.zip", *names), target) == 2
    assert tree(target) == ["a.png", "b.png"]


@pytest.mark.parametrize("unpack", [unpack_dataset, unpack_maps])
@pytest.mark.parametrize("names", [(), ("a/x.txt", "b/y.txt"), ("images/",)])
def test_an_unknown_layout_says_what_is_inside(tmp_path, unpack, names):
    with pytest.raises(ArchiveError, match="inside: "):
        unpack(archive(tmp_path / "a.zip", *names), tmp_path / "out" / "set")
    assert list((tmp_path / "out").iterdir()) == []


# -- hostile ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../evil.png", "images/../../evil.png", "/evil.png", "C:/evil.png", "..\\evil.png"])
def test_an_entry_cannot_leave_its_folder(tmp_path, name):
    path = archive(tmp_path / "a.zip", "images/a.jpg", "masks/a.png", name)
    with pytest.raises(ArchiveError, match="outside its folder"):
        unpack_dataset(path, tmp_path / "out" / "set")
    assert tree(tmp_path) == ["a.zip"]


def test_an_entry_without_a_name_is_refused(tmp_path):
    """The name is cut to nothing in the list at the archive's end."""
    path = archive(tmp_path / "a.zip", "images/a.jpg", "masks/a.png")
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2")
    data[entry + 28 : entry + 32] = struct.pack("<HH", 0, len("images/a.jpg"))  # its bytes count as extra field
    data[entry + 46 : entry + 50] = struct.pack("<HH", 0x9999, len("images/a.jpg") - 4)
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="without a name"):
        unpack_dataset(path, tmp_path / "out" / "set")


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("images/a.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as content:
        content.writestr(link, "/etc/passwd")
    with pytest.raises(ArchiveError, match="is a link"):
        unpack_dataset(tmp_path / "a.zip", tmp_path / "set")


@pytest.mark.parametrize("unpack", [unpack_dataset, unpack_maps])
def test_only_pictures_that_are_not_hidden_are_unpacked(tmp_path, unpack):
    folders = ("images/", "masks/") if unpack is unpack_dataset else ("",)
    others = (".bashrc", "run.sh", "setup.py", "a.exe", ".b.png", ".git/c.png", "__MACOSX/d.png", "Thumbs.db", "noname")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as content:
        for name in (folder + name for folder in folders for name in ("a.png", *others)):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | 0o4777) << 16
            content.writestr(entry, b"picture")
    assert unpack(tmp_path / "a.zip", tmp_path / "set") == 1
    assert tree(tmp_path / "set") == [f"{folder}a.png" for folder in folders]
    assert not any(path.stat().st_mode & 0o4111 for path in (tmp_path / "set").rglob("*.png"))


@pytest.mark.parametrize("names", [("images", "images/a.png"), ("images/a.png", "images/a.png/b.png")])
def test_names_that_exclude_each_other_are_refused(tmp_path, names):
    with pytest.raises(ArchiveError):
        unpack_dataset(archive(tmp_path / "a.zip", *names), tmp_path / "out" / "set")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_bomb_is_refused_before_it_unpacks(tmp_path):
    path = archive(tmp_path / "a.zip", "images/a.jpg", **{"masks/a.png": b"\0" * 30_000_000})
    with pytest.raises(ArchiveError, match="not a data set"):
        unpack_dataset(path, tmp_path / "out" / "set")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_damaged_archive_leaves_nothing(tmp_path):
    buffer = io.BytesIO()
    archive(buffer, "images/a.jpg", "masks/a.png")
    (tmp_path / "a.zip").write_bytes(buffer.getvalue()[:-30])
    with pytest.raises(ArchiveError, match="fetch it again"):
        unpack_dataset(tmp_path / "a.zip", tmp_path / "out" / "set")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_there_is_not_overwritten(tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(ArchiveError, match="already there"):
        unpack_dataset(archive(tmp_path / "a.zip", "images/a.jpg", "masks/a.png"), tmp_path / "set")


# -- the whole way ------------------------------------------------------------------------------------------------


def data_entry(**changes):
    values = {
        "name": "Tiny",
        "kind": "data",
        "file": "Tiny.zip",
        "folder": "Test_Dataset",
        "license": "",
        "sources": (),
    }
    return Published(**{**values, **changes})


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("INSPYRENET_HOME", str(tmp_path / "home"))
    return tmp_path


def test_a_data_set_that_someone_brought_lands_in_the_clone(home):
    brought = archive(home / "Tiny.zip", "Tiny/images/a.jpg", "Tiny/masks/a.png")
    said = []
    place = fetch_published(data_entry(images=3), root=home / "clone", local=brought, say=said.append)
    assert place == home / "clone" / "data" / "Test_Dataset" / "Tiny" and tree(place) == ["images/a.jpg", "masks/a.png"]
    assert brought.exists() and tree(home / "home") == []
    assert any("1 images, its authors count 3" in line for line in said)


def test_overwriting_keeps_the_old_data_set_until_the_new_one_is_there(home):
    good, bad = archive(home / "good.zip", "images/a.jpg", "masks/a.png"), archive(home / "bad.zip", "x.txt")
    options = {"root": home / "clone", "say": lambda line: None}
    place = fetch_published(data_entry(), local=good, **options)
    with pytest.raises(ArchiveError):
        fetch_published(data_entry(), local=bad, overwrite=True, **options)
    assert tree(place) == ["images/a.jpg", "masks/a.png"]
    fetch_published(
        data_entry(), local=archive(home / "new.zip", "images/b.jpg", "masks/b.png"), overwrite=True, **options
    )
    assert tree(place) == ["images/b.jpg", "masks/b.png"] and len(list(place.parent.iterdir())) == 1


def test_a_file_that_is_no_archive_is_refused(home):
    (home / "Tiny.zip").write_bytes(b"text")
    with pytest.raises(DownloadError, match="not a zip file"):
        fetch_published(data_entry(), root=home / "clone", local=home / "Tiny.zip", say=lambda line: None)


def test_a_rejected_archive_does_not_stay(home, monkeypatch):
    """The cache is asked before the network, so what stayed there would fail every later fetch."""
    fetched = [archive(home / "bad.zip", "x.txt"), archive(home / "good.zip", "images/a.jpg", "masks/a.png")]
    monkeypatch.setattr(download, "fetch", lambda entry, target, **_: shutil.copyfile(fetched.pop(0), target))
    options = {"root": home / "clone", "say": lambda line: None}
    with pytest.raises(ArchiveError, match="no pictures"):
        fetch_published(data_entry(), **options)
    assert tree(home / "home") == []
    assert tree(fetch_published(data_entry(), **options)) == ["images/a.jpg", "masks/a.png"]


def test_an_archive_that_lacks_room_stays(home, monkeypatch):
    good = archive(home / "good.zip", "images/a.jpg", "masks/a.png")
    monkeypatch.setattr(download, "fetch", lambda entry, target, **_: shutil.copyfile(good, target))
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: SimpleNamespace(free=3))
    with pytest.raises(DownloadError, match="make room first"):
        fetch_published(data_entry(), root=home / "clone", say=lambda line: None)
    assert tree(home / "home") == ["archives/Tiny.zip"]


# -- the registry -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_is_complete(kind):
    for name, entry in load(kind).items():
        assert entry.sources and all(url.startswith("https://") for url in entry.sources), name
        assert entry.license and entry.file and (entry.kind == "weights" or entry.folder), name
        assert not entry.md5 or len(entry.md5) == 32, name


def test_the_registry_holds_what_people_ask_for():
    weights, data = load("weights"), load("data")
    assert {"fast", "base", "base-nightly", "InSPyReNet_SwinB", "InSPyReNet_Res2Net50", "BiRefNet"} <= set(weights)
    assert weights["fast"].md5 and weights["base"].md5
    for name in ("DUTS", "DUT-OMRON", "ECSSD", "HKU-IS", "PASCAL-S", "DAVIS-S", "HRSOD", "UHRSD", "DIS5K"):
        assert all(entry in data.values() for entry in find(name, ["data"]))
    assert {entry.folder for entry in find("DUTS")} == {"Train_Dataset", "Test_Dataset"}


def test_weights_tell_the_terms_of_their_data_beside_their_license():
    """MIT covers the file; DIS5K, which most of them were trained on, does not allow commercial use unasked."""
    for entry in load("weights").values():
        assert entry.data and entry.terms.startswith(f"{entry.license}; trained on research data: "), entry.name
        assert all(name in entry.terms for name in entry.data)
        assert ("strict terms: no commercial use" in entry.terms) == ("DIS5K" in entry.data), entry.name
    strict = {name for name, entry in load("weights").items() if "DIS5K" in entry.data}
    assert {"fast", "base", "BiRefNet", "BiRefNet_HR", "BiRefNet-DIS5K", "InSPyReNet_SwinB_DIS5K"} <= strict
    assert not {"InSPyReNet_SwinB", "BiRefNet-COD", "BiRefNet-portrait"} & strict


def test_no_two_entries_share_a_place():
    for kind in KINDS:
        places = [registry.place_of(entry) for entry in load(kind).values()]
        assert len(places) == len(set(places))


def test_the_first_kind_that_knows_a_name_counts():
    assert [entry.kind for entry in find("inspyrenet_swinb")] == ["weights"]
    assert {entry.kind for entry in find("InSPyReNet_SwinB", ["maps"])} == {"maps"}
    assert [entry.name for entry in find("InSPyReNet_SwinB/ECSSD")] == ["InSPyReNet_SwinB/ECSSD"]


def test_an_unknown_name_is_told_with_a_near_one():
    with pytest.raises(UnknownName, match="did you mean fast"):
        find("fsat", ["weights"])
    with pytest.raises(UnknownName, match="d --list"):
        find("qqqqqqqq")
