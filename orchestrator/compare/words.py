"""What changed, in sentences: subject, what it does now, before and after, and which parts are as before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from orchestrator.compare.rollup import RollUp, Told, strength
from orchestrator.compare.values import Change, Compared, Measured, Shift, Which
from orchestrator.insight.facts import Facts
from orchestrator.insight.kinds import KINDS
from orchestrator.insight.levels import Cause, World
from orchestrator.insight.sentences import first
from orchestrator.insight.values import Group
from orchestrator.insight.words import Data, Names, Sentence, count
from orchestrator.testtypes.layers import LAYERS, MS, PERCENT
from orchestrator.testtypes.norms import NORMS

_NEARLY = 0.9
_AGENTS = frozenset({"target", "block", "run", "host"})


def since(runs: int) -> str:
    """What it is compared with: the base alone, or it and its history."""
    return "than in the base run" if runs == 1 else f"than in the last {runs} runs"


def told_in_words(
    told: Told, rolled: RollUp, names: Names, compared: Mapping[Which, Compared], runs: int
) -> Sentence:
    """One line about a group: what fails now, else what moved."""
    if told.failing is not None:
        return _failing(told.failing, rolled.failing, names, worse=told.worse)
    if told.moved is not None:
        return _moved(told, told.moved, names, compared, runs)
    return _shifted(told, max(told.shifts, key=strength), names, runs)


def _failing(cause: Cause, world: World, names: Names, *, worse: bool) -> Sentence:
    if worse:
        return (*first(Facts(world, cause), names), "; before it did not")
    bad, known = cause.bad.bit_count(), cause.known.bit_count()
    return (*_subject(cause.group, names), f" recovered: {bad} of {known} cells that failed pass")


def brief(told: Told, names: Names, compared: Mapping[Which, Compared]) -> Sentence:
    """What got worse in a few words, for a headline."""
    found = strongest(told, compared)
    shifted = "" if told.shift is None else told.shift.metric
    metric = shifted if found is None else found[0]
    does = _does(metric, worse=told.worse) if metric in NORMS else "answers otherwise"
    return (*_subject(told.group, names), f" {does}")


def _subject(group: Group, names: Names, what: str = "everything") -> Sentence:
    label = Data(names.of(group))
    if group.kind == "run":
        return (what,)
    if group.kind in {"target", "agent", "host", "endpoint"}:
        return (label,)
    kind = KINDS[group.kind]
    if kind.agents and not kind.pair:
        return (f"{what} from ", label)
    if kind.pair:
        return (Data(names.target(group.value[1:])), " from ", Data(group.value[0]))
    if group.kind == "block":
        return ("this kind of test, ", label, ",")
    return ("every path through ", label)


def _does(metric: str, *, worse: bool) -> str:
    """What something does whose metric moved."""
    layer, _, name = metric.partition(".")
    if NORMS[metric].falls:
        return f"has {'less' if worse else 'more'} {name}"
    unit = LAYERS[layer].metrics.get(name)
    if unit == PERCENT:
        return f"loses {'more' if worse else 'fewer'} packets"
    return (
        f"is {'slower' if worse else 'faster'}" if unit == MS else f"has {'more' if worse else 'less'} {name}"
    )


def _moved(told: Told, cause: Cause, names: Names, compared: Mapping[Which, Compared], runs: int) -> Sentence:
    found = strongest(told, compared)
    bad, known = cause.bad.bit_count(), cause.known.bit_count()
    if found is None:
        return (*_subject(told.group, names), f" changed: {bad} of {known} cells")
    metric, before, after = found
    return (
        *_subject(told.group, names),
        f" {_does(metric, worse=told.worse) if metric in NORMS else 'answers otherwise'} {since(runs)}: ",
        f"{bad} of {known} {'agents' if told.group.kind in _AGENTS else 'cells'}, ",
        f"{metric} {amount(metric, before)} -> {amount(metric, after)}",
        *_parts(metric, told.shifts),
    )


def _shifted(told: Told, shift: Shift, names: Names, runs: int) -> Sentence:
    whole = _whole(shift, told.shifts)
    # Where only some of its cells have the metric at all, it is their layer that moved.
    layer = whole.metric.partition(".")[0]
    what = "everything" if whole.of >= _NEARLY * len(told.cells) else layer
    return (
        *_subject(told.group, names, what),
        f" {_does(whole.metric, worse=told.worse)} {since(runs)}: ",
        f"{whole.cells} of {whole.of} {'agents' if told.group.kind == 'target' else 'cells'}, ",
        f"{whole.metric} {amount(whole.metric, whole.before)} -> {amount(whole.metric, whole.after)}",
        *_parts(whole.metric, told.shifts),
    )


def _whole(strongest: Shift, shifts: Sequence[Shift]) -> Shift:
    """The shift that people know the layer by, if it moved too."""
    layer = strongest.metric.partition(".")[0]
    wholes = [one for one in shifts if one.metric.partition(".")[0] == layer and NORMS[one.metric].whole]
    return max(wholes, key=lambda one: (abs(one.score), one.metric), default=strongest)


def _parts(metric: str, shifts: Sequence[Shift]) -> Sentence:
    """Where in the layer it is: the parts that moved, and those that did not."""
    layer, _, name = metric.partition(".")
    parts = LAYERS[layer].parts if layer in LAYERS else {}
    moved = {one.metric.partition(".")[2]: one for one in shifts if one.metric.startswith(f"{layer}.")}
    inside = [part for part in parts if part in moved and part != name]
    if not inside:
        return ()
    told = ", ".join(
        f"{parts[part]} {amount(moved[part].metric, moved[part].before)} -> "
        f"{amount(moved[part].metric, moved[part].after)}"
        for part in inside
    )
    still = [word for part, word in parts.items() if part not in moved]
    return (f"; {told}", f"; {', '.join(still)} as before" if still else "")


def strongest(told: Told, compared: Mapping[Which, Compared]) -> tuple[str, float, float] | None:
    """The metric that most of the cells of a group changed by, with its medians before and now."""
    wanted = Change.WORSE if told.worse else Change.BETTER
    found: dict[str, list[Measured]] = {}
    for which in told.cells:
        for metric, one in compared[which].metrics.items():
            norm = NORMS.get(metric)
            if one.change is wanted and norm is not None:
                found.setdefault(metric, []).append(one)
    if not found:
        return None
    metric = max(found, key=lambda name: (NORMS[name].whole, len(found[name]), name))
    before = median([float(one.before) for one in found[metric]])
    return metric, before, median([float(one.after) for one in found[metric]])


def amount(metric: str, number: float) -> str:
    """A number with the unit of its metric."""
    layer, _, name = metric.partition(".")
    unit = LAYERS[layer].metrics.get(name, "") if layer in LAYERS else ""
    shown = f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
    return f"{shown} {unit}".rstrip() if unit in {MS, PERCENT, "Mbps", "B/s"} else shown


def headline(now_fail: int, told: Sequence[Sentence], lost: int, compared: int) -> str:
    """One line that says it all."""
    if not compared and not lost:
        return "nothing could be compared"
    if now_fail:
        return f"{count(now_fail, 'cell')} of {compared} that passed before fail now"
    if told:
        return f"nothing fails that passed before; {count(len(told), 'thing')} got worse"
    if lost:
        return f"{count(lost, 'cell')} that answered before {'has' if lost == 1 else 'have'} no answer now"
    return f"nothing is worse: {count(compared, 'cell')} compared"
