"""Valid bytes → damaged ones: what a torn download, a bad disk or an attacker would make of them."""

import random
import struct
import zlib
from collections.abc import Callable, Sequence

PNG = b"\x89PNG\r\n\x1a\n"
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)  # where lengths and sizes overflow
WORDS = (
    b"../",
    b"\0",
    b"\r\n\r\n",
    b"%s%n",
    b"[" * 500,
    b"&a *a ",
    b"!!python/object",
    b"file:///etc/passwd",
    b"-1",
    b"1e999",
)
LARGEST = 1 << 20  # bytes of an example


def example(seeds: Sequence[bytes], seed: int, number: int) -> bytes:
    """Example `number` of a series: one of the seeds, damaged up to six times. The same numbers always give the same bytes."""
    rng = random.Random(f"{seed}/{number}")
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        data = rng.choice(MUTATIONS)(data, rng, seeds)[:LARGEST]
    return _with_checksums(data) if data.startswith(PNG) and rng.random() < 0.7 else data


def _flip(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[_place(changed, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _number(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """An extreme number over 1, 2, 4 or 8 bytes."""
    size, order = rng.choice("BHIQ"), rng.choice("<>")
    width = struct.calcsize(f"{order}{size}")
    value = rng.choice(NUMBERS) & ((1 << (8 * width)) - 1)
    place = _place(data, rng)
    return data[:place] + struct.pack(f"{order}{size}", value) + data[place + width :]


def _cut(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _drop(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    first = _place(data, rng)
    return data[:first] + data[first + rng.choice((1, 4, 64)) :]


def _repeat(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    first = _place(data, rng)
    last = first + rng.choice((1, 16, 256))
    return data[:last] + data[first:last] * rng.choice((1, 10, 1000)) + data[last:]


def _splice(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """The beginning of one and the end of another."""
    other = rng.choice(seeds)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _insert(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    place = _place(data, rng)
    return data[:place] + rng.choice((*WORDS, rng.randbytes(8))) + data[place:]


MUTATIONS: tuple[Callable[[bytes, random.Random, Sequence[bytes]], bytes], ...] = (
    _flip, _number, _cut, _drop, _repeat, _splice, _insert,
)  # fmt: skip


def _place(data: Sequence[int], rng: random.Random) -> int:
    """Somewhere; half of the time among the first bytes, where the headers are."""
    if not data:
        return 0
    return rng.randrange(min(len(data), 64) if rng.random() < 0.5 else len(data))


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have right checksums again: else the first check refuses nearly all of them."""
    parts, place = [PNG], len(PNG)
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        body = data[place + 4 : place + 8 + length]
        if len(body) < length + 4:
            break
        parts += [data[place : place + 4], body, struct.pack(">I", zlib.crc32(body))]
        place += 12 + length
    return b"".join(parts) + data[place:]
