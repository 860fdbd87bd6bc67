"""What a run showed, of its insight: the fingerprints of its causes, the cells that fail alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from orchestrator.compare.look import Comparison
from orchestrator.compare.values import Which
from orchestrator.errors import Exit
from orchestrator.insight.look import Alike, Explanation, Insight
from orchestrator.insight.values import CellKey
from orchestrator.insight.words import written
from orchestrator.model import Verdict
from orchestrator.notices.marks import code
from orchestrator.notices.values import CELL, Cause, Key, Seen
from orchestrator.records import RunRecord

_COMPLETE = frozenset({Exit.OK, Exit.EXPECTATION_FAILED})
# Somebody has to act: the API refused us, or a ceiling.
_URGENT = frozenset({Exit.REFUSED, Exit.CEILING})
# Somebody stopped it: that says nothing of the network, nor of how runs go by themselves.
STOPPED = frozenset({Exit.SIGHUP, Exit.SIGINT})
_LIKELY = frozenset({"clear", "likely"})

Mask = Callable[[str], str]


def nothing_came(at: float, exit_code: int) -> Seen:
    """What is known where no run came to be."""
    return Seen(None, at, exit_code, complete=False, urgent=exit_code in _URGENT)


def seen_of(
    run: RunRecord,
    insight: Insight,
    exit_code: int,
    comparison: Comparison | None = None,
    *,
    mask: Mask = str,
) -> Seen:
    """What a run showed that has ended.

    ``comparison`` is what it was held against; of what was run again to confirm it, what did not fail again
    does not count. A run of a part of the tests shows what is wrong, and never what is over.
    """
    part = run.settings.partial
    flaky = _cells(() if comparison is None else comparison.flaky)
    persisting = _cells(() if comparison is None else comparison.persisting)
    fails = [one for one in insight.explanations if one.severity is Verdict.FAIL]
    alone = {_of(one.key): _said(one.key) for one in insight.isolated}
    isolated = {key: label for key, label in alone.items() if key not in flaky}
    worse = () if comparison is None or exit_code != Exit.EXPECTATION_FAILED else _worse(comparison, mask)
    return Seen(
        run=run.id,
        at=run.finished if run.finished is not None else run.started,
        code=exit_code,
        complete=exit_code in _COMPLETE and not part,
        counts=not part,
        causes=(*(_cause(one, mask) for one in fails), *worse),
        isolated=isolated,
        confirmed=frozenset(isolated.keys() & persisting),
        shared=frozenset(_of(key) for one in fails for key in one.cells),
        judged=insight.judged,
        urgent=exit_code in _URGENT,
    )


def _cause(one: Explanation, mask: Mask) -> Cause:
    alike: Iterable[Alike] = (*one.same, *one.near)
    reason = written(one.why, lambda text: code(mask(text)))
    return Cause(
        key=Key(one.group.kind, one.group.value, one.level),
        label=one.label,
        text=f"{written(one.text, lambda text: code(mask(text)))}. {reason}",
        sure=one.sure in _LIKELY,
        others=frozenset((other.group.kind, other.group.value) for other in alike),
    )


def _worse(comparison: Comparison, mask: Mask) -> Iterator[Cause]:
    """What got worse and is no failure: that is another fingerprint than a failure of the same cells."""
    for told, sentence in zip(comparison.worse.told, comparison.texts, strict=True):
        if told.failing is None:
            text = written(sentence, lambda data: code(mask(data)))
            label = " ".join(told.group.value)
            yield Cause(Key(told.group.kind, told.group.value, "worse"), label, text)


def _cells(which: Iterable[Which]) -> set[Key]:
    return {_cell(one.test, one.target, one.agent_id) for one in which}


def _of(key: CellKey) -> Key:
    return _cell(*key)


def _cell(test: str, target: str, agent_id: str) -> Key:
    return Key(CELL, (test, target, agent_id))


def _said(key: CellKey) -> str:
    return f"{key.target} ({key.test}) from {key.agent_id}"
