"""Amounts that are in use at once."""

import asyncio

import pytest

from inspyrenet.serve.room import Room


def test_what_does_not_fit_waits_for_its_turn():
    async def run():
        room, order = Room(10), []

        async def hold(name, amount, until):
            async with room.hold(amount):
                order.append(name)
                await until.wait()

        gates = [asyncio.Event() for _ in range(3)]
        tasks = [
            asyncio.create_task(hold(*one)) for one in [("a", 6, gates[0]), ("b", 6, gates[1]), ("c", 1, gates[2])]
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert order == ["a"]  # c would fit, but b came first
        gates[0].set()
        await tasks[0]
        await asyncio.sleep(0)
        assert order == ["a", "b", "c"]
        for gate in gates:
            gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())


def test_whoever_leaves_gives_everything_back():
    async def run():
        room = Room(1)

        async def hold():
            async with room.hold(1):
                await asyncio.sleep(10)

        inside, waiting, last = (asyncio.create_task(hold()) for _ in range(3))
        await asyncio.sleep(0.01)
        waiting.cancel()
        inside.cancel()  # at the same time: the turn of one that has left is passed on
        await asyncio.sleep(0.01)
        last.cancel()
        with pytest.raises(asyncio.CancelledError):
            await last
        async with asyncio.timeout(1), room.hold(1):
            pass

    asyncio.run(run())
