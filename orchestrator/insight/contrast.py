"""What is fine beside a cause, at most two lines, and what it cannot be told from, which is never cut."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.insight.facts import CLEAN_LOSS, Facts
from orchestrator.insight.kinds import KINDS, NAME_SERVER
from orchestrator.insight.values import Group
from orchestrator.insight.words import Data, Names, Sentence, count

MOST_LINES = 2
_MOST_NAMED = 4
_OF_TARGETS = frozenset({"target", "host", "server-ip", "dns-answer", NAME_SERVER})

# Kinds of groups whose own names are not words that people use.
_WORDS = {
    "hop-prefix": "the hops in",
    "hop-network": "the hops of network",
    "last-hop": "the last hop that answered,",
    "link": "the link",
    "server-ip": "the server address",
    "dns-answer": "the DNS answer",
    "agent-type": "agents of type",
    "agent-type*target": "agents of type",
    "block": "the kind of test",
    "endpoint": "the agent at either end,",
    NAME_SERVER: "the name server",
}


def contrast(facts: Facts, names: Names) -> tuple[Sentence, ...]:
    """The first lines that apply, then what else it could be."""
    lines = [line for line, _ in zip(_fine(facts), range(MOST_LINES), strict=False)]
    return (*lines, *_cannot_be_told(facts, names))


def _fine(facts: Facts) -> Iterator[Sentence]:
    kind = KINDS[facts.cause.group.kind]
    filtered = sum(1 for cell in facts.bad_cells if cell.filtered)
    if filtered:
        yield (f"probes to it are blocked (HTTP answers) in {count(filtered, 'cell')}: loss is not judged",)
    if kind.path and (avoiding := facts.avoiding()):
        yield (f"{count(avoiding, 'cell')} whose path avoids it pass",)
    losses = facts.losses()
    clean = sum(1 for loss in losses if loss <= CLEAN_LOSS)
    if facts.level >= 3 and losses and 10 * clean >= 9 * len(losses):
        yield (
            f"the network to it is clean: loss at most {CLEAN_LOSS:g} % in {clean} of {len(losses)} cells",
        )
    yield from _others_pass(facts)


def _others_pass(facts: Facts) -> Iterator[Sentence]:
    kind = facts.cause.group.kind
    passing = facts.passing_elsewhere()
    if (kind in _OF_TARGETS or KINDS[kind].pair) and passing:
        yield (f"the same agents pass elsewhere: {count(passing, 'cell')}",)
    if kind == "agent":
        if facts.passing:
            verb = "passes" if facts.passing == 1 else "pass"
            yield (f"{count(facts.passing, 'cell')} of it {verb}, so the agent is alive",)
        others, asked = facts.countrymen()
        if others:
            yield (f"other agents of its country pass: {others} of {count(asked, 'cell')}",)
    if kind == "block" and passing:
        yield (f"the same agents pass other tests: {count(passing, 'cell')}",)


def _cannot_be_told(facts: Facts, names: Names) -> Iterator[Sentence]:
    cause = facts.cause
    if facts.is_everything:
        if cause.group.kind == "target":
            yield ("only one target was tested: target and test cannot be told apart",)
        if cause.group.kind == "host":
            yield ("only this host was tested: it cannot be told from the plan or the agents",)
    alike = [group for group in cause.same if group.kind != "run" and not _is_itself(group, cause.group)]
    alike += [near.group for near in cause.near if near.group.kind != "run"]
    if not alike:
        return
    parts: list[str] = ["cannot be told from "]
    for number, group in enumerate(alike[:_MOST_NAMED]):
        parts += [
            ", " if number else "",
            f"{_WORDS.get(group.kind, group.kind.replace('*', ' and '))} ",
            Data(names.of(group)),
        ]
    more = len(alike) - _MOST_NAMED
    yield (*parts, f" and {more} more") if more > 0 else tuple(parts)


def _is_itself(group: Group, named: Group) -> bool:
    """A target's own host, address and one block, or a pair within it: the same thing in other words."""
    if named.kind == "target":
        return group.kind in {"host", "server-ip", "block"} or KINDS[group.kind].pair
    return False
