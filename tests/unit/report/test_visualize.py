"""The pyramid picture: every level has its tile, at the right place."""

from typing import NamedTuple

import numpy as np
import torch

from inspyrenet.utils.report.visualize import GAP, LABEL, PAPER, pyramid_picture


class Levels(NamedTuple):
    saliency: tuple
    laplacian: tuple = ()


def levels(height=32, width=64):
    sizes = [(height // k, width // k) for k in (8, 4, 2, 1)]
    saliency = tuple(torch.full((1, 1, *size), float(10 * i - 15)) for i, size in enumerate(sizes))
    laplacian = tuple(torch.zeros(1, 1, *size) for size in sizes[1:])
    laplacian[1][..., :, : width // 4] = -2.0
    return Levels(saliency, laplacian)


def tile(picture, row, column, size):
    top, left = row * (LABEL + size[0] + GAP) + LABEL, GAP + column * (size[1] + GAP)
    return picture[top : top + size[0], left : left + size[1]]


def test_tiles_stand_where_they_belong():
    image, mask = np.full((32, 64, 3), (200, 10, 20), np.uint8), np.full((32, 64), 255, np.uint8)
    picture = pyramid_picture(levels(), image, mask, height=40)
    size = (40, 80)
    assert picture.dtype == np.uint8 and picture.shape == (2 * (LABEL + 40 + GAP), GAP + 5 * (80 + GAP), 3)
    assert (tile(picture, 0, 0, size) == (200, 10, 20)).all() and (tile(picture, 1, 0, size) == 255).all()
    assert [int(tile(picture, 0, i, size).mean().round()) for i in (1, 2, 3, 4)] == [0, 2, 253, 255]  # sigmoid(±15, ±5)
    assert (tile(picture, 1, 1, size) == PAPER).all()  # nothing below S3
    assert (tile(picture, 1, 2, size) == 128).all()  # U2 changes nothing: middle gray
    u1 = tile(picture, 1, 3, size)
    assert (u1[:, :40] == 0).all() and (u1[:, 40:] == 128).all()


def test_arrays_give_the_picture_that_tensors_give():
    out = levels()
    arrays = Levels(*(tuple(one.numpy() for one in maps) for maps in out))
    half = Levels(*(tuple(one.bfloat16().requires_grad_() for one in maps) for maps in out))
    picture = pyramid_picture(arrays, height=40)
    for tensors in (out, half):
        assert np.array_equal(pyramid_picture(tensors, height=40), picture)


def test_levels_have_their_names_above_them():
    picture = pyramid_picture(levels(), np.zeros((32, 64, 3), np.uint8), height=40)
    for row, column in ((0, 0), (0, 1), (0, 4), (1, 2), (1, 4)):
        top, left = row * (LABEL + 40 + GAP), GAP + column * (80 + GAP)
        label = picture[top : top + LABEL, left : left + 80]
        assert 20 < np.count_nonzero(label > 100) < label.size / 4
    assert (picture[LABEL + 40 + GAP :][:LABEL, GAP + 80 + GAP :][:, :80] == PAPER).all()  # no U3


def test_it_needs_neither_image_nor_detail_nor_a_batch_of_one():
    out = Levels((torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 16, 16)))
    picture = pyramid_picture(out, height=20)
    assert picture.shape == (2 * (LABEL + 20 + GAP), GAP + 3 * (20 + GAP), 3)


def test_extreme_shapes_stay_handy():
    for shape in ((2000, 20), (20, 3000), (1, 1)):
        out = Levels((torch.zeros(1, 1, 32, 32),))
        picture = pyramid_picture(out, np.zeros((*shape, 3), np.uint8), height=64)
        assert 16 <= picture.shape[1] <= 2 * (8 * 64 + GAP) + GAP


def test_values_that_are_not_finite_do_not_spoil_the_rest():
    out = Levels((torch.zeros(1, 1, 8, 8),) * 2, (torch.tensor([[[[float("nan"), 1.0]]]]),))
    assert pyramid_picture(out, height=16).max() > PAPER
