"""Binary images as 64 pixels per word: dilation by a disc costs a few operations per 64 pixels."""

import numpy as np

_COUNT = np.array([bin(i).count("1") for i in range(256)], np.uint8)


def pack(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool -> (H, ceil(W / 64)) uint64; bit j of word k is pixel 64 k + j, bits beyond W are 0."""
    height, width = mask.shape
    words = -(-width // 64)
    packed = np.zeros((height, 8 * words), np.uint8)
    packed[:, : -(-width // 8)] = np.packbits(mask, axis=1, bitorder="little")
    return packed.view("<u8")


def ones(shape: tuple[int, int]) -> np.ndarray:
    """All pixels of an image of this shape set."""
    return np.repeat(pack(np.ones((1, shape[1]), bool)), shape[0], axis=0)


def count(bits: np.ndarray) -> int:
    """Number of set pixels."""
    if hasattr(np, "bitwise_count"):
        return int(np.bitwise_count(bits).sum())
    return int(_COUNT[bits.view(np.uint8)].sum())  # NumPy 1


def dilate_rows(bits: np.ndarray, reach: int) -> list[np.ndarray]:
    """Dilations along the rows by 0, 1 … `reach` pixels to both sides. Bits beyond the width may become set."""
    stack = [bits]
    for distance in range(1, reach + 1):
        wider = stack[-1].copy()
        _or_shifted(wider, bits, distance)
        stack.append(wider)
    return stack


def dilate(widened: list[np.ndarray], half_widths: np.ndarray) -> np.ndarray:
    """Dilation by a shape of 2 r + 1 centered rows, row i reaching `half_widths[i]` pixels to both sides."""
    radius = len(half_widths) // 2
    out = widened[half_widths[radius]].copy()
    for down in range(1, radius + 1):
        rows = widened[half_widths[radius - down]]
        out[down:] |= rows[: max(0, len(rows) - down)]
        out[: max(0, len(out) - down)] |= rows[down:]
    return out


def _or_shifted(out: np.ndarray, bits: np.ndarray, distance: int) -> None:
    """out |= bits moved right by `distance` pixels | bits moved left by `distance` pixels."""
    words, rest = divmod(distance, 64)
    near, far = np.uint64(rest), np.uint64(64 - rest)
    total = bits.shape[1]
    if words < total:
        out[:, words:] |= bits[:, : total - words] << near
        out[:, : total - words] |= bits[:, words:] >> near
    if rest and words + 1 < total:
        out[:, words + 1 :] |= bits[:, : total - words - 1] >> far
        out[:, : total - words - 1] |= bits[:, words + 1 :] << far
