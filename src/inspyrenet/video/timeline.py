"""The times of a file's packets, which go on where its clock starts again."""

from fractions import Fraction
from typing import Any

BACK = Fraction(1, 2)  # seconds: packets that are out of order by less are as the file has them


class Timeline:
    """Moves packets where the clock of a file falls back, as at a chapter of a DVD or where recordings were joined.

    Each stream meets that place on its own, since pictures and sound are interleaved; the first one that does decides by how much
    all are moved behind it, so that sound stays with the pictures.
    """

    def __init__(self) -> None:
        self._offsets = [Fraction(0)]  # seconds, before the first such place, between it and the second, and so on
        self._passed: dict[int, int] = {}  # stream → how many such places it has met
        self._expected: dict[int, Fraction] = {}  # stream → where its next packet begins

    def move(self, packet: Any) -> None:
        """Give a packet, the next one of its stream, its time on the line."""
        if packet.dts is None or not packet.time_base:
            return
        stream, time = packet.stream.index, packet.dts * packet.time_base
        passed, expected = self._passed.get(stream, 0), self._expected.get(stream)
        if expected is not None and time + self._offsets[passed] < expected - BACK:
            passed = self._passed[stream] = passed + 1
            if passed == len(self._offsets):
                self._offsets.append(expected - time)
        ticks = round(self._offsets[passed] / packet.time_base)
        packet.dts += ticks
        if packet.pts is not None:
            packet.pts += ticks
        end = (packet.dts + (packet.duration or 0)) * packet.time_base
        self._expected[stream] = end if expected is None else max(expected, end)
