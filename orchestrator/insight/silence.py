"""Silence, apart from everything else: no answer is no failure, and says nothing about a target.

The same arithmetic over all cells that were sent; what it names is on our side: an agent, a creation, a
layer, what the run recorded, or everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.insight.blame import Claim, Question, explain
from orchestrator.insight.kinds import SILENT_KINDS
from orchestrator.insight.levels import mask_of, positions_of
from orchestrator.insight.score import sure
from orchestrator.insight.values import CellKey, Group, Observed
from orchestrator.insight.words import Data, Names, Sentence
from orchestrator.model import Verdict

_BACKGROUND = 0.01
_NOTHING: Sentence = ("nothing answered: the token, the API or this host",)
_NETWORK: Sentence = ("nothing can be said about the network",)
_SENT = frozenset({Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.PARTIAL, Verdict.NO_ANSWER})


@dataclass(frozen=True, slots=True)
class Silence:
    """What cells without an answer, or answers that lack a layer, share: ``head`` what and how many,
    ``detail`` what else is known, if anything, and ``joint`` what joins both."""

    group: Group
    label: str
    bad: int
    known: int
    sure: str
    head: Sentence
    joint: str = ""
    detail: Sentence = ()
    cells: tuple[CellKey, ...] = ()

    @property
    def text(self) -> Sentence:
        """The whole of it."""
        return (*self.head, self.joint, *self.detail) if self.joint else self.head


def silences(cells: Iterable[Observed], names: Names) -> tuple[Silence, ...]:
    """What the silent cells share, then what the missing layers share; the largest first."""
    sent = sorted((one for one in cells if one.record.verdict in _SENT), key=_key)
    silent = [one.record.verdict is Verdict.NO_ANSWER for one in sent]
    if sent and all(silent):
        everything = Group("run", ("run",))
        keys = tuple(_key(one) for one in sent)
        return (Silence(everything, "run", len(sent), len(sent), "clear", _NOTHING, "; ", _NETWORK, keys),)
    whole = _explained(map(_groups, sent), silent)
    found = [_told(claim, sent, names) for claim in whole]
    return (*found, *_missing_layers(sent, names))


def _key(cell: Observed) -> CellKey:
    return CellKey(cell.record.test, cell.record.target, cell.record.agent_id)


def _groups(cell: Observed) -> list[Group]:
    record = cell.record
    groups = [
        Group("run", ("run",)),
        Group("agent", (record.agent_id,)),
        Group("block", (record.test,)),
    ]
    if record.spec is not None:
        groups.append(Group("spec", (record.spec,)))
    if cell.silence is not None:
        groups.append(Group("cause", (cell.silence,)))
    return groups


def _explained(groups: Iterable[Sequence[Group]], bad: Sequence[bool]) -> list[Claim]:
    if sum(bad) < 2:
        return []
    members: dict[Group, list[int]] = {}
    for position, of_one in enumerate(groups):
        for group in of_one:
            members.setdefault(group, []).append(position)
    size = len(bad)
    claims = explain(
        Question(
            bad=mask_of((n for n, one in enumerate(bad) if one), size),
            known=(1 << size) - 1,
            groups={group: mask_of(positions, size) for group, positions in members.items()},
            kinds=SILENT_KINDS,
            sizes=Counter(group.kind for group in members),
            background=_BACKGROUND,
        )
    ).claims
    order = {kind: place.order for kind, place in SILENT_KINDS.items()}
    return sorted(claims, key=lambda one: (-one.bad.bit_count(), order[one.group.kind], one.group.value))


def _told(claim: Claim, sent: Sequence[Observed], names: Names) -> Silence:
    bad, known = claim.bad.bit_count(), claim.known.bit_count()
    inside = [sent[n] for n in positions_of(claim.bad)]
    label = _label(claim.group, inside, names)
    told = _TEXTS[claim.group.kind](label, bad, known, inside, sent)
    word = sure(claim.bits, bad, near=bool(claim.near))
    return Silence(claim.group, label, bad, known, word, *told, tuple(_key(one) for one in inside))


def _label(group: Group, inside: Sequence[Observed], names: Names) -> str:
    if group.kind == "spec" and inside:
        return names.target((inside[0].record.test, inside[0].record.target))
    return names.of(group)


# What and how many, what joins it to the rest, and what else is known.
_Told = tuple[Sentence, str, Sentence]
_Text = Callable[[str, int, int, Sequence[Observed], Sequence[Observed]], _Told]


def _agent(label: str, bad: int, known: int, inside: Sequence[Observed], sent: Sequence[Observed]) -> _Told:
    answered = {_key(one)[:2] for one in sent if one.record.verdict is not Verdict.NO_ANSWER}
    others = all(_key(one)[:2] in answered for one in inside)
    head: Sentence = (Data(label), f" did not answer: {bad} of {known} cells")
    return (
        (head, ". Agent side; ", ("other agents answer for every target",))
        if others
        else (head, ". Agent side", ())
    )


def _spec(label: str, bad: int, known: int, inside: Sequence[Observed], sent: Sequence[Observed]) -> _Told:
    del inside, sent
    whom = "from anyone" if bad == known else "from most agents" if 2 * bad > known else "from some agents"
    return ("the test of ", Data(label), f" brought nothing {whom}: {bad} of {known} cells"), "", ()


def _cause(label: str, bad: int, known: int, inside: Sequence[Observed], sent: Sequence[Observed]) -> _Told:
    specs = len({one.record.spec for one in inside})
    every = len({one.record.spec for one in sent})
    tests = "1 test" if specs == 1 else f"{specs} tests"
    return (f"{tests} of {every} brought nothing, {bad} of {known} cells",), ": ", (Data(label),)


def _block(label: str, bad: int, known: int, inside: Sequence[Observed], sent: Sequence[Observed]) -> _Told:
    del inside, sent
    return ("tests of ", Data(label), f" brought no answer in {bad} of {known} cells"), "", ()


def _run(label: str, bad: int, known: int, inside: Sequence[Observed], sent: Sequence[Observed]) -> _Told:
    del label, inside, sent
    head = f"most of the run did not answer: {bad} of {known} cells"
    return (head,), ". ", ("Look at the token, the API or this host",)


_TEXTS: Mapping[str, _Text] = {
    "agent": _agent,
    "spec": _spec,
    "cause": _cause,
    "block": _block,
    "run": _run,
}


def _missing_layers(sent: Sequence[Observed], names: Names) -> list[Silence]:
    """What cells that answered in a part share: each layer of each of them is looked at."""
    if not any(one.record.verdict is Verdict.PARTIAL for one in sent):
        return []
    looked = [
        (one, layer)
        for one in sent
        if one.spec is not None and one.record.verdict is not Verdict.NO_ANSWER
        for layer in one.spec.layers
    ]
    missing = [not any(row.layer == layer for row in one.rows) for one, layer in looked]
    groups = [[*_groups(one), Group("layer*type", (layer, one.record.type))] for one, layer in looked]
    return [_layer_told(claim, looked, names) for claim in _explained(groups, missing)]


def _layer_told(claim: Claim, looked: Sequence[tuple[Observed, str]], names: Names) -> Silence:
    bad, known = claim.bad.bit_count(), claim.known.bit_count()
    inside = [looked[n][0] for n in positions_of(claim.bad)]
    label = _label(claim.group, inside, names)
    text: Sentence
    if claim.group.kind == "layer*type":
        layer, kind = claim.group.value
        much = f"all {known}" if bad == known else f"{bad} of {known}"
        text = ("layer ", Data(layer), f" is missing in {much} cells of ", Data(kind))
    else:
        text = ("layers are missing in answers of ", Data(label), f": {bad} of {known}")
    keys = tuple(dict.fromkeys(_key(one) for one in inside))
    word = sure(claim.bits, bad, near=bool(claim.near))
    return Silence(claim.group, label, bad, known, word, text, "", (), keys)
