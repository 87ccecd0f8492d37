"""What data sets hold and what is wrong with them, all in one round."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from ..data.datasets.checking import answers
from ..data.datasets.files import LayoutError
from ..data.datasets.near_duplicates import Fingerprints, fingerprints, near_duplicates
from ..data.datasets.pairs import Pair, check_pairs, pick_evenly
from ..data.datasets.sets import find_set, sets_of
from ..data.hub.archives import ArchiveError
from ..data.images.read import upright_size

LISTED = 10  # near-duplicates by name
MEASURED = 1000  # masks, evenly spread, for the share of the object

Named = tuple[Path, str]  # root and name of a set


@dataclass(frozen=True)
class Checked:
    """A set after the check: its usable pairs and, in words, what is wrong with the others."""

    name: str
    pairs: Sequence[Pair]
    problems: Sequence[str]
    prints: Fingerprints


def check(paths: Sequence[Path], say: Callable[[str], None] = print) -> int:
    """Say what the sets at these paths hold, and everything that is wrong with them; the number of problems.

    A path is a set or a folder of sets. Pictures that two sets share are problems: scores on one would flatter a network that has
    learned from the other. Those within a set are only said. Raises LayoutError where there is no set at a path.
    """
    named = list(dict.fromkeys(one for path in paths for one in sets_of(path)))
    checked = [_check_set(one, say) for one in named]
    shared = [line for first, second in combinations(checked, 2) for line in _shared(first, second)]
    problems = [*(problem for one in checked for problem in one.problems), *shared]
    if len(checked) > 1:
        say(f"{len(shared) or 'no'} pictures of one set are nearly the same as one of another")
    say(f"{len(problems)} problem{'' if len(problems) == 1 else 's'}{':' if problems else ''}")
    for problem in problems:
        say(f"  {problem}")
    return len(problems)


def _check_set(named: Named, say: Callable[[str], None]) -> Checked:
    root, name = named
    pairs, bad_sets, bad_pairs = check_pairs(root, [name], whole=True)
    say(f"{root / name}")
    with suppress(LayoutError, ArchiveError):  # which are among the problems
        say(f"  layout      {find_set(root, name).text}")
    say(f"  pairs       {len(pairs):,} can be used")
    prints = fingerprints([pair.image for pair in pairs])
    if pairs:
        say(f"  masks       {pairs[0].coding}")
        for line in _statistics(pairs):
            say(f"  {line}")
        twice = near_duplicates(prints)
        say(f"  duplicates  {len(twice)} times two pictures are nearly the same{':' if twice else ''}")
        for a, b, mirrored in twice[:LISTED]:
            say(f"              {pairs[a].name} and {pairs[b].name}{' (mirrored)' if mirrored else ''}")
        if len(twice) > LISTED:
            say(f"              … and {len(twice) - LISTED} more")
    return Checked(name, pairs, [*bad_sets, *bad_pairs], prints)


def _statistics(pairs: Sequence[Pair]) -> list[str]:
    sizes = np.array(list(answers(lambda pair: upright_size(pair.image), pairs, "images")))
    heights, widths = sizes.T
    some = pick_evenly(pairs, MEASURED)
    shares = np.array(list(answers(lambda pair: float(pair.read_mask().mean()) / 255, some, "masks", 16)))
    of = f" (of {len(some):,} masks)" if len(some) < len(pairs) else ""
    return [
        f"width       {_range(widths)}",
        f"height      {_range(heights)}",
        f"object      {shares.min():.1%} to {shares.max():.1%} of the image, median {np.median(shares):.1%}{of}",
    ]


def _range(values: np.ndarray) -> str:
    return f"{values.min():,} to {values.max():,} pixels, median {int(np.median(values)):,}"


def _shared(first: Checked, second: Checked) -> list[str]:
    found = near_duplicates(first.prints, second.prints)
    return [
        f"{first.name}/{first.pairs[a].name} is nearly the same{' (mirrored)' if mirrored else ''} as "
        f"{second.name}/{second.pairs[b].name}"
        for a, b, mirrored in found
    ]
