"""ICC profiles, made by hand: a wide gamut with Display P3's primaries, and a gray one."""

import struct

P3 = {b"rXYZ": (0.5151, 0.2412, -0.0011), b"gXYZ": (0.2920, 0.6922, 0.0419), b"bXYZ": (0.1571, 0.0666, 0.7841)}
D50 = (0.9642, 1.0, 0.8249)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + b"\0" * 78,
        b"cprt": b"text\0\0\0\0none\0",
    } | tags
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        value += b"\0" * (-len(value) % 4)
        table += name + struct.pack(">II", start + len(body), len(value))
        body += value
    header = struct.pack(">I4sI4s4s4s12s4s", start + len(body), b"", 0x02400000, b"mntr", space, b"XYZ ", b"", b"acsp")
    header = header.ljust(68, b"\0") + b"".join(map(_fixed, D50))
    return header.ljust(128, b"\0") + table + body


def _point(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def wide_gamut(gamma: float = 2.2) -> bytes:
    """A display with the primaries of Display P3."""
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(gamma))
    return _profile(b"RGB ", {b"wtpt": _point(D50)} | {name: _point(xyz) for name, xyz in P3.items()} | curves)


def gray(gamma: float = 1.0) -> bytes:
    """Gray of that gamma."""
    return _profile(b"GRAY", {b"wtpt": _point(D50), b"kTRC": _gamma(gamma)})
