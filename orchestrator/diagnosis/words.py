"""What is said of an incident: one sentence that runs, what is known beside it, and what cannot be told.

It says what the bad cells share, with its counts; never what broke, never "everywhere", never that it is
over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.diagnosis.found import Found
from orchestrator.insight.look import Explanation
from orchestrator.insight.values import Observed
from orchestrator.insight.words import Data, Sentence, count, plain
from orchestrator.model import Verdict
from orchestrator.report.times import clock_time

_UNTOLD = ("cannot be told", "only ")
_MOST_NAMED = 3
_MOST_COUNTRIES = 6
_MOST_OF_IT = 0.75
# With one target these are no other claim than that target.
_NO_OTHER = {"run", "block", "host", "target", "endpoint"}
_WIDE = {"target", "host"}


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence with how sure it is; the word is empty where it claims nothing."""

    text: Sentence
    sure: str = ""


def claim(found: Found) -> object:
    """What the sentence claims, whatever its counts are by now: it changes where this does."""
    first = found.first
    bad, judged = found.judged()
    if _is_early(found):
        return ("early", bool(bad))
    return (None, bool(bad), bool(judged)) if first is None else (first.group, first.sure)


def sentence(found: Found, *, final: bool) -> Told:
    """The one sentence, so far or at the end."""
    first = found.first
    if not final and _is_early(found):
        return Told(_so_far(found))
    if first is not None:
        return Told(_of_cause(found, first, final=final), first.sure)
    bad, judged = found.judged()
    title = _title(found)
    if not judged and not found.bad:
        if final:
            return Told((*_nothing(found), *_silent(found)))
        return Told((title, ": no answer yet"))
    if bad or found.bad:
        return Told(_alone(found, bad, judged), "possible")
    return Told(_passes(found, judged, final=final))


def _is_early(found: Found) -> bool:
    """Whether the first answers fail and nothing is likely yet: each of them would change the sentence."""
    possible = found.first is None or found.first.sure == "possible"
    return bool(found.bad) and possible and found.share_judged < _MOST_OF_IT and found.open > 0


def _so_far(found: Found) -> Sentence:
    bad, judged = found.judged()
    what = "agents" if _once(found) else "cells"
    return (_title(found), f" fails from {bad} of {judged} {what} so far")


def _title(found: Found) -> Data:
    names = [one.text for one in found.asked.subjects]
    if len(names) <= _MOST_NAMED:
        return Data(", ".join(names))
    return Data(f"{', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED} more")


def _of_cause(found: Found, first: Explanation, *, final: bool) -> Sentence:
    open_main = sum(1 for one in found.first_asked if one.record.verdict is None)
    wide = first.group.kind in _WIDE and first.bad == first.known
    if wide and open_main and not final:
        return (Data(first.label), f" fails from all {first.bad} asked so far")
    return first.text


def _alone(found: Found, bad: int, judged: int) -> Sentence:
    cells = [one for one in found.main if one.record.verdict is Verdict.FAIL]
    if not cells:
        others = [one.record.test for one in found.bad]
        return (
            _title(found),
            f" passes from {judged} of {count(judged, 'agent')}; what fails beside it: ",
            Data(others[0]),
        )
    names = [_agent(found, one) for one in cells[:_MOST_NAMED]]
    more = f" and {bad - _MOST_NAMED} more" if bad > _MOST_NAMED else ""
    what = "agents" if len(found.asked.subjects) == 1 and _once(found) else "cells"
    return (
        _title(found),
        f" fails from {bad} of {judged} {what}, without a common cause: ",
        Data(", ".join(names)),
        more,
    )


def _once(found: Found) -> bool:
    """Whether each agent has one main cell, so that cells are agents."""
    agents = [one.record.agent_id for one in found.main]
    return len(agents) == len({*agents})


def _agent(found: Found, one: Observed) -> str:
    phase = found.phase(one)
    name = found.names.agents.get(one.record.agent_id, one.record.agent)
    return f"{name} ({phase.word})" if phase is not None else name


def _passes(found: Found, judged: int, *, final: bool) -> Sentence:
    if found.recovered and not found.bad:
        return _was_bad(found)
    what = "agent" if _once(found) else "cell"
    asked = len(found.main)
    answered = " that answered" if final and judged < asked else ""
    so_far = " so far" if not final and judged < asked else ""
    verb = "passes" if len(found.asked.subjects) == 1 else "pass"
    text: Sentence = (_title(found), f" {verb} from {_all_of(judged, what)}{answered}{so_far}")
    warned = next((one for one in found.insight.explanations if one.severity is Verdict.WARN), None)
    if warned is not None:
        text = (*text, "; ", *warned.text)
    return (*text, *_silent(found)) if final else text


def _all_of(number: int, what: str) -> str:
    return f"one {what}" if number == 1 else f"all {number} {what}s"


def _was_bad(found: Found) -> Sentence:
    agents = {key.agent_id for key in found.recovered}
    names = ", ".join(found.names.agents.get(one, one) for one in sorted(agents)[:_MOST_NAMED])
    asked = len({one.record.agent_id for one in found.main})
    return (
        _title(found),
        f" failed from {len(agents)} of {count(asked, 'agent')} and passes from all of them a round later: ",
        Data(names),
    )


def _silent(found: Found) -> Sentence:
    names = [found.names.agents.get(one, one) for one in found.silent]
    if not names:
        return ()
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ("; no answer from ", Data(", ".join(names[:_MOST_NAMED])), f"{more} (agent side)")


def _nothing(found: Found) -> Sentence:
    if found.insight.silences:
        first = found.insight.silences[0]
        return first.text
    return (_title(found), ": nothing can be told, nothing answered")


# -- beside it ----------------------------------------------------------------------------------------------


def layer(found: Found) -> Sentence | None:
    """Which layer breaks, and in what words."""
    if found.first is not None:
        return found.first.why
    text = next((trouble.text for one in found.bad for trouble in one.troubles if trouble.asked), "")
    return (Data(text),) if text else None


def resolving(found: Found) -> Sentence | None:
    """What names are resolved to; ``None`` where nobody was asked."""
    failing, known = found.names_failing
    answers = found.answers_of_names
    if failing:
        return (f"DNS fails from {failing} of {known}",)
    if not answers:
        return None
    different = len({*answers})
    if different == 1 or len(found.asked.subjects) > 1:
        same = "the same answer" if different == 1 else f"{different} answers"
        return (f"DNS gives {same} to {count(len(answers), 'agent')}",)
    return (f"DNS gives {different} different answers to {count(len(answers), 'agent')}",)


def beside(found: Found) -> tuple[Sentence, ...]:
    """What is fine beside the first cause."""
    if found.first is None:
        return ()
    return tuple(one for one in found.first.contrast if _is_fine(found, plain(one)))


def _is_fine(found: Found, text: str) -> bool:
    # Beside one target only its own name is tested, which is nothing else.
    alone = len(found.asked.subjects) + len(found.asked.controls) == 1
    return not text.startswith(_UNTOLD) and not (alone and text.startswith("the same agents pass elsewhere"))


def others(found: Found) -> tuple[Explanation, ...]:
    """The other causes."""
    return found.causes[1:]


def path(found: Found) -> Explanation | None:
    """A cause on a path, if one was found."""
    kinds = {"hop", "link", "last-hop", "hop-prefix", "hop-network"}
    return next((one for one in found.causes if one.group.kind in kinds), None)


def untold(found: Found) -> tuple[Sentence, ...]:
    """What cannot be told, and of whom nothing is known."""
    return tuple(_untold(found))


def _untold(found: Found) -> Iterator[Sentence]:
    if found.first is not None:
        yield from (one for one in found.first.contrast if plain(one).startswith("only "))
        yield from _alike(found, found.first)
        if found.silent:
            names = ", ".join(found.names.agents.get(one, one) for one in found.silent[:_MOST_NAMED])
            more = f" and {len(found.silent) - _MOST_NAMED} more" if len(found.silent) > _MOST_NAMED else ""
            yield ("no answer from ", Data(names), f"{more} (agent side)")
    told = {one.record.country for one in found.cells}
    unasked = [one for one in found.asked.unasked if one not in told]
    if unasked:
        more = (
            f" and {len(unasked) - _MOST_COUNTRIES} more countries" if len(unasked) > _MOST_COUNTRIES else ""
        )
        yield ("nobody was asked in ", Data(", ".join(unasked[:_MOST_COUNTRIES])), more)
    if found.open:
        yield (f"{count(found.open, 'cell')} still open",)


def _alike(found: Found, first: Explanation) -> Iterator[Sentence]:
    """What else it could be; a side of the only target is that side, in other words."""
    side, pair, _ = first.group.kind.partition("*")
    itself = {(side, first.group.value[0])} if pair else set()
    alike = [
        one
        for one in (*first.same, *first.near)
        if (one.group.kind, one.group.value[0]) not in itself and one.group.kind not in _NO_OTHER
    ]
    if alike:
        parts: list[str] = ["cannot be told from "]
        for n, one in enumerate(alike[:_MOST_NAMED]):
            parts += [", " if n else "", f"{one.group.kind.replace('*', ' and ')} ", Data(one.label)]
        yield tuple(parts)
    if pair and len(found.asked.subjects) == 1 and not found.asked.controls:
        yield ("whether other targets fail from there (no --control was asked)",)


def confirmation(found: Found) -> str:
    """Whether a second round saw the same, and when."""
    if not found.again:
        return "not confirmed"
    at = f" {clock_time(found.rounds[-1])}" if found.rounds else ""
    if found.confirmed:
        return f"confirmed{at}"
    if found.recovered:
        return f"{count(len(found.recovered), 'cell')} of the first round pass now"
    return "not confirmed"
