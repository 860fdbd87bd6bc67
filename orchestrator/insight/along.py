"""What is told of the way to a cause on a path: where along it it gets slow or lossy, and stays so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.insight.jumps import Gets, Shared
from orchestrator.insight.words import Data, Names, Sentence, count


def along(found: Sequence[Shared], of: int, names: Names) -> Iterator[Sentence]:
    """A line for each jump that cells share; ``of`` is how many bad cells there are."""
    for jump in found:
        there = Data(names.hops.get(jump.address, jump.address))
        where: Sentence = (" at ", there)
        if jump.after is not None:
            where = (" between ", Data(names.hops.get(jump.after, jump.after)), " and ", there)
        what = f"+{jump.added:.0f} ms" if jump.gets is Gets.SLOW else f"+{jump.added:.0f} points of loss"
        yield (what, *where, f", kept to the end: {jump.cells} of {count(of, 'cell')}")
