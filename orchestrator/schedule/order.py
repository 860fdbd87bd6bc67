"""In which order specs are created: early answers cover the whole plan, and the tail is short. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, zip_longest

from orchestrator.model import Spec


def creation_order(
    specs: Sequence[Spec],
    median_latency: Callable[[str], float],
    *,
    in_order: bool = False,
    boxed: bool = False,
) -> list[Spec]:
    """Slow test types first (their answers take longest), and within a type test blocks and targets in turn.

    ``boxed``: not all of them will fit into the run's time, so any beginning must tell the most: all test
    blocks and targets in turn, whatever their types. With ``in_order`` the plan's own order is kept.
    ``median_latency`` gives seconds by test type.
    """
    if in_order:
        return list(specs)
    if boxed:
        return _interleaved(specs)
    types = sorted({spec.type for spec in specs}, key=lambda kind: (-median_latency(kind), kind))
    return list(chain.from_iterable(_interleaved([s for s in specs if s.type == kind]) for kind in types))


def _interleaved(specs: Sequence[Spec]) -> list[Spec]:
    """Test blocks in turn; within a block first one spec of every target, then the second of each."""
    blocks: dict[str, dict[str, list[Spec]]] = {}
    for spec in specs:
        blocks.setdefault(spec.test, {}).setdefault(spec.target, []).append(spec)
    return _in_turn([_in_turn(list(targets.values())) for targets in blocks.values()])


def _in_turn(queues: Sequence[Sequence[Spec]]) -> list[Spec]:
    return [spec for rank in zip_longest(*queues) for spec in rank if spec is not None]
