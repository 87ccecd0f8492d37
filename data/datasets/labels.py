"""Class labels that follow from the names of images."""

from collections.abc import Sequence


def dis5k_class(name: str) -> str:
    """Class of a DIS5K image by its name, group#subgroup#number#class#…: the fourth part. Raises ValueError for other names."""
    parts = name.rsplit("/", 1)[-1].split("#")
    if len(parts) < 4 or not parts[3]:
        raise ValueError(f"{name!r} is not named as DIS5K images are: no fourth part between # signs")
    return parts[3]


def dis5k_labels(names: Sequence[str]) -> tuple[list[int], list[str]]:
    """(class number of every name, classes in alphabetical order): labels of the auxiliary classification."""
    found = [dis5k_class(name) for name in names]
    classes = sorted(set(found))
    number = {name: i for i, name in enumerate(classes)}
    return [number[name] for name in found], classes
