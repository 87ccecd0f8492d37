"""The part of a picture that an animation has to show anew."""

import numpy as np

Box = tuple[slice, slice]  # rows, columns


def box_of(mask: np.ndarray, step: int = 1) -> Box:
    """The smallest box around what is True in (H, W), one pixel where nothing is; its upper left corner is a multiple of step."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return slice(0, 1), slice(0, 1)
    return slice(rows[0] // step * step, rows[-1] + 1), slice(columns[0] // step * step, columns[-1] + 1)


def changed(array: np.ndarray, before: np.ndarray | None, step: int = 1) -> Box:
    """`box_of` what differs between two pictures of one shape; all of the first."""
    if before is None:
        return slice(0, array.shape[0]), slice(0, array.shape[1])
    differs = array != before
    return box_of(differs.any(2) if array.ndim == 3 else differs, step)
