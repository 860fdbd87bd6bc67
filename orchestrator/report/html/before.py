"""What changed since earlier runs, as the page shows it: numbers, cards of what got worse, strips of runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from orchestrator.compare.document import sure_of
from orchestrator.compare.rollup import Told
from orchestrator.insight.headline import Mark
from orchestrator.insight.words import Data, Sentence
from orchestrator.model import Verdict
from orchestrator.report.comparison import Held, limits_of
from orchestrator.report.headline import many
from orchestrator.report.html.causes import headed, icon_of
from orchestrator.report.html.cells import Cell
from orchestrator.report.html.change import in_short, moved
from orchestrator.report.html.material import Grid
from orchestrator.report.html.signs import SIGNS, word_for
from orchestrator.report.html.text import DASH, capital, median, milliseconds, parts
from orchestrator.report.html.view import Card, Changed, Part, Run, Squares, Tally, Then, Went
from orchestrator.report.since import Earlier, Since, numbers, worst_of
from orchestrator.report.times import people
from orchestrator.testtypes.layers import LAYERS

_WORDS: Mapping[Mark, tuple[str, str]] = {
    Mark.BAD: ("f", "bad"),
    Mark.WARNED: ("w", "with warnings"),
    Mark.SILENT: ("n", "answers missing"),
    Mark.OPEN: ("o", "nothing known"),
    Mark.GOOD: ("k", "good"),
}
_SIDE, _GAP = 10, 2
_LEAST_TOLD = 0.05


def changed(since: Since, now: Mark, started: float, news: Sentence = ()) -> Changed | None:
    """The cards at the side, and what the gate says; ``None`` where nothing is known of the time before."""
    if since.base is None and not since.trail:
        return None
    held = since.held
    told = () if held is None else tuple(one for one in numbers(held) if one.number)
    judged = held.comparison.judgement if held is not None and since.asked else None
    return Changed(
        base=parts(since.against),
        when=since.when,
        numbers=tuple(Tally(SIGNS[one.verdict].css, "", one.number, one.words) for one in told),
        news=capital(parts(news)),
        runs=tuple(_went(since.trail, now, started)),
        gate="" if judged is None else f"gate {judged.level.value}: exit {judged.exit_code}",
        why=() if judged is None else judged.reasons,
        compared="" if held is None else _compared(held),
        lines=tuple(_lines(since)),
    )


def _lines(since: Since) -> Iterator[tuple[Part, ...]]:
    """What was compared, and what could not be seen."""
    held = since.held
    if held is None:
        if since.limit:
            yield (Part(since.limit),)
        return
    for line in limits_of(held):
        yield (*capital(parts(line)), Part("."))


def _compared(held: Held) -> str:
    found = held.comparison
    compared = f"{many(found.comparable, 'cell')} compared with {many(found.runs, 'run')}"
    if found.routes:
        rerouted = sum(one.networks or one.hops or one.ends is not None for one in found.routes.values())
        compared += f"; paths: {len(found.routes) - rerouted} as before, {rerouted} changed"
    return compared


def _went(trail: Sequence[Earlier], now: Mark, started: float) -> Iterator[Went]:
    if not trail:
        return
    day = people(started)[:10]
    for mark, when in (*((one.mark, one.started) for one in trail), (now, started)):
        css, word = _WORDS[mark]
        told = people(when)
        yield Went(css, mark.sign, word, told[11:16] if told[:10] == day else told[5:10])


def cards_of(held: Held | None) -> Iterator[Card]:
    """A card for each thing that passes and got worse."""
    if held is None:
        return
    found = held.comparison
    for told, text in zip(found.worse.told, found.texts, strict=True):
        if told.failing is None:
            yield card_of(told, text)


def card_of(told: Told, text: Sentence, css: str = "w") -> Card:
    """The card of something that changed."""
    title, rest = headed(_of_a_piece(text))
    bad, known = _evidence(told)
    icon, kind = icon_of(told.group.kind)
    detail = "".join(part.text for part in rest).split("; ")
    lines = [one for one in (detail[0].partition(", ")[2], *detail[1:]) if one]
    # The names of metrics stay as they are.
    words = "; ".join(["Before it did not", *lines[1:]] if lines[:1] == ["before it did not"] else lines)
    return Card(
        number=None,
        css=css,
        icon=icon,
        kind=kind,
        title=title,
        text=f"{words}." if words else "",
        contrast="",
        tag=_tag(told),
        bad=bad,
        known=known,
        share=round(100 * bad / known) if known else 0,
        sure=sure_of(told),
    )


def _of_a_piece(sentence: Sentence) -> Sentence:
    """The sentence with our own words that follow each other in one part."""
    found: list[str] = []
    for part in sentence:
        if found and not isinstance(part, Data) and not isinstance(found[-1], Data):
            found[-1] += part
        else:
            found.append(part)
    return tuple(found)


def _evidence(told: Told) -> tuple[int, int]:
    for cause in (told.failing, told.moved):
        if cause is not None:
            return cause.bad.bit_count(), cause.known.bit_count()
    shift = told.shift
    return (0, 0) if shift is None else (shift.cells, shift.of)


def _tag(told: Told) -> str:
    """Where it is: the part of the layer that moved most, else what cells share."""
    if told.failing is not None:
        return "fails now" if told.worse else "recovered"
    if told.shift is None:
        return "slower or worse" if told.worse else "better"
    layer, _, name = told.shift.metric.partition(".")
    return LAYERS[layer].parts.get(name, layer) if layer in LAYERS else layer


def squares(trail: Sequence[Earlier], row: tuple[str, str], cells: Iterable[Cell]) -> Squares | None:
    """How a target was in the last runs and is now; ``None`` where no earlier run was looked through."""
    known = [one for one in trail if one.cells is not None]
    if not known:
        return None
    verdicts = [*(one.rows.get(row) for one in known), worst_of(cell.verdict for cell in cells)]
    words = ["not tested" if verdict is None else word_for(verdict) for verdict in verdicts]
    paths: dict[str, list[str]] = {}
    bars: list[str] = []
    step, at = _SIDE + _GAP, 0
    for verdict, ones in groupby(verdicts):
        x, width = at * step, len(list(ones)) * step - _GAP
        at += (width + _GAP) // step
        if verdict is not None:  # one stroke, whose dashes are the squares
            paths.setdefault(SIGNS[verdict].css, []).append(f"M{x} {_SIDE // 2}h{width}")
        if verdict is Verdict.FAIL:
            bars.append(f"M{x + 3} {_SIDE // 2}h{width - 3}")
    fills = {sign.css: sign.fill for sign in SIGNS.values()}
    runs = tuple(Run(css, fills[css], "".join(path)) for css, path in sorted(paths.items()))
    return Squares(at * step - _GAP, runs, "".join(bars), _in_a_row(words))


def _in_a_row(words: Sequence[str]) -> str:
    told: list[tuple[str, int]] = []
    for word in words:
        if told and told[-1][0] == word:
            told[-1] = (word, told[-1][1] + 1)
        else:
            told.append((word, 1))
    return ", ".join(word if number == 1 else f"{number} times {word}" for word, number in told)


def then(grid: Grid, cells: Iterable[Cell]) -> tuple[Then, float | None]:
    """The median of a target before and what became of it, over the cells that have both; and that median."""
    pairs = [
        (before, cell.time)
        for cell in cells
        if cell.time is not None and (before := grid.before.get(cell.key)) is not None
    ]
    before, now = median(one for one, _ in pairs), median(one for _, one in pairs)
    if before is None or now is None or before <= 0:
        return Then(DASH, "", ""), None
    share = moved(before, now)
    css = "" if share is None else "up" if share > 0 else "down"
    change = now / before - 1
    told = in_short(change) + ("" if change >= 9.995 else " %") if abs(change) >= _LEAST_TOLD else ""
    return Then(milliseconds(before), told, css), before
