"""Timings in turn: what is measured, and what is not."""

from collections.abc import Iterator
from contextlib import contextmanager

from inspyrenet.utils.system.timing import interleave


def test_what_surrounds_a_variant_is_entered_each_time_and_not_measured():
    now, order = [0.0], []

    def work(name: str, seconds: float) -> None:
        order.append(name)
        now[0] += seconds

    @contextmanager
    def around() -> Iterator[None]:
        work("around", 100)
        yield

    variants = {"short": lambda: work("short", 2), "long": lambda: work("long", 3)}
    seconds = interleave(variants, rounds=2, warmup=1, around={"long": around}, clock=lambda: now[0])
    assert seconds == {"short": [2, 2], "long": [3, 3]}
    assert order == ["short", "around", "long"] * 3
