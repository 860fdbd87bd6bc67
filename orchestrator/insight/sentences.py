"""What is said first of a cause: what, how many, why. A table of templates by kind.

A sentence says what the bad cells share, with its counts, and never what broke. It never speaks of a target
where nothing answered, of "everywhere", of customers, or of an end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from orchestrator.insight.facts import Facts
from orchestrator.insight.kinds import NAME_SERVER
from orchestrator.insight.values import Phase
from orchestrator.insight.within import excess_of
from orchestrator.insight.words import Data, Names, Sentence, count, plain
from orchestrator.model import AgentType, Verdict

_INSIDE = {
    AgentType.ENTERPRISE.value: "inside",
    AgentType.CLUSTER.value: "inside",
    AgentType.CLOUD.value: "outside",
}
_PHASE = {
    Phase.DNS: "DNS",
    Phase.CONNECT: "Connect",
    Phase.LOSS: "Packet loss",
    Phase.TLS: "TLS",
    Phase.WAIT: "Server wait",
    Phase.RECEIVE: "Receive",
    Phase.ANSWER: "Answer",
    Phase.ERROR: "Error",
    Phase.SLOW: "Slow",
}
_LOSES_MUCH = 2 / 3


def first(facts: Facts, names: Names) -> Sentence:
    """What the bad cells share, and how many they are."""
    kind = facts.cause.group.kind
    known = "pair" if kind.endswith("*target") and kind != "agent-type*target" else kind
    return _FIRST[known](facts, names)


def why(facts: Facts) -> Sentence:
    """Which layer, and in what words; the range where the words differ in a number only."""
    told, detail = _PHASE[facts.phase], reason(facts)
    if not detail:
        return (told,)
    if facts.phase is Phase.SLOW and excess_of(facts) is not None:
        return (f"{told}, {detail[0]}", *detail[1:])
    _, variants = facts.why()
    text = plain(detail)
    if isinstance(detail[0], Data) and variants == 1 and text != facts.why()[0]:
        return (Data(facts.why()[0]),)  # an error's type is where its text begins
    return (told, ": ", *detail)


def reason(facts: Facts) -> Sentence:
    """In what words, without the layer; nothing where no words are those of half of its cells."""
    phase = facts.phase
    losses = facts.losses()
    text, variants = facts.why()
    # Jitter and the like are of this phase too: then the range of losses says nothing.
    of_loss = not text or ".loss " in text
    if phase is Phase.LOSS and of_loss and losses and losses[-1] > 0:
        least, most = _number(losses[0]), _number(losses[-1])
        return (f"loss {least} to {most} %" if losses[0] < losses[-1] else f"loss {least} %",)
    part = excess_of(facts) if phase is Phase.SLOW else None
    head = () if part is None else (part, ": ")
    if not text:
        return head[:1]
    if variants > 1:
        return (*head, "such as ", Data(text))
    begins = f"{_PHASE[phase]}:".lower()
    bare = text[len(begins) :].strip() if text.lower().startswith(begins) else text
    return (*head, Data(bare or text))


def _fails(facts: Facts) -> str:
    return "fails" if facts.cause.severity is Verdict.FAIL else "has warnings"


def _fail(facts: Facts) -> str:
    return "fail" if facts.cause.severity is Verdict.FAIL else "have warnings"


def _label(facts: Facts, names: Names) -> Data:
    return Data(names.of(facts.cause.group))


def _all(facts: Facts) -> bool:
    return facts.bad == facts.known


def _share(facts: Facts) -> str:
    return f"{facts.bad} of {facts.known}"


def _target(facts: Facts, names: Names) -> Sentence:
    label, fails = _label(facts, names), _fails(facts)
    if not _all(facts):
        return (label, f" {fails} from {_share(facts)} agents")
    if facts.earlier:
        return (
            label,
            f" {fails} from every agent that gets that far: {_share(facts)}",
            f" ({facts.earlier} more fail earlier)",
        )
    silent = sum(1 for key in facts.silent if key[:2] == facts.cause.group.value)
    answered = " that answered" if silent else ""
    other = f" ({facts.elsewhere} more bad cells are counted elsewhere)" if facts.elsewhere else ""
    return (label, f" {fails} from every agent{answered}: {_share(facts)}{other}")


def _agent(facts: Facts, names: Names) -> Sentence:
    if _all(facts):
        much = "everything"
    else:
        much = "nearly everything" if facts.bad >= _LOSES_MUCH * facts.known else "a part of its targets"
    return (_label(facts, names), f" reaches {much} badly: {_share(facts)} cells")


def _of_agents(facts: Facts, names: Names) -> Sentence:
    much = (
        "Everything"
        if _all(facts)
        else "Nearly everything"
        if facts.bad >= _LOSES_MUCH * facts.known
        else "Much"
    )
    return (
        f"{much} {_fails(facts)} from ",
        _label(facts, names),
        f": {_share(facts)} cells, {count(facts.agents, 'agent')}",
    )


def _pair(facts: Facts, names: Names) -> Sentence:
    value = facts.cause.group.value
    bad, known = facts.rest_of_targets
    only = " only" if known and not bad else ""
    return (
        Data(names.target(value[1:])),
        f" {_fails(facts)} from ",
        Data(value[0]),
        f"{only}: {_share(facts)} agents there, {bad} of {known} elsewhere",
    )


def _inside(facts: Facts, names: Names) -> Sentence:
    value = facts.cause.group.value
    bad, known = facts.rest_of_targets
    side = _INSIDE.get(value[0], value[0])
    only = " only" if known and not bad else ""
    return (
        Data(names.target(value[1:])),
        f" {_fails(facts)} from {side}{only} (",
        Data(value[0]),
        f" agents {_share(facts)}, others {bad} of {known})",
    )


def _path(facts: Facts, names: Names) -> Sentence:
    group = facts.cause.group
    network = names.networks.get(group.value[0]) if group.kind == "hop" else None
    where: Sentence = (
        (_label(facts, names),) if network is None else (_label(facts, names), " (", Data(network), ")")
    )
    ends = "ends at" if group.kind == "last-hop" else "through"
    head: Sentence = (f"Every path that {ends} ",) if group.kind == "last-hop" else (f"Every path {ends} ",)
    verb = _fails(facts)
    if not _all(facts):
        head, verb = (
            (("Paths that end at ",) if group.kind == "last-hop" else ("Paths through ",)),
            _fail(facts),
        )
    countries = f" in {count(facts.countries, 'country', 'countries')}" if facts.countries > 1 else ""
    return (
        *head,
        *where,
        f" {verb}: {_share(facts)} cells, {count(facts.agents, 'agent')}{countries}",
        f", {count(len(facts.targets), 'target')}",
    )


def _given(facts: Facts, names: Names) -> Sentence:
    bad, known = facts.rest_of_targets
    rest = f"; those that were given another: {bad} of {known}" if known else ""
    return ("Cells that were given ", _label(facts, names), f" {_fail(facts)}: {_share(facts)}{rest}")


def _server(facts: Facts, names: Names) -> Sentence:
    return ("Names that were asked of ", _label(facts, names), f" {_fail(facts)}: {_share(facts)} cells")


def _block(facts: Facts, names: Names) -> Sentence:
    outside = facts.world.bad(facts.cause.severity).bit_count() - facts.bad
    only = "This" if outside else "Only this"
    return (f"{only} kind of test {_fails(facts)}: ", _label(facts, names), f", {_share(facts)} cells")


def _host(facts: Facts, names: Names) -> Sentence:
    which = "every test" if _all(facts) else "its tests"
    return (_label(facts, names), f" {_fails(facts)} in {which}: {_share(facts)} cells")


def _run(facts: Facts, names: Names) -> Sentence:
    del names
    much = (
        "Everything"
        if _all(facts)
        else "Nearly everything"
        if facts.bad >= _LOSES_MUCH * facts.known
        else "Much"
    )
    shared = "Look at what they share: the expectation, the proxy, the plan"
    return (f"{much} {_fails(facts)}: {_share(facts)} cells. {shared}",)


def _number(value: float) -> str:
    return f"{value:.3g}"


_FIRST: Mapping[str, Callable[[Facts, Names], Sentence]] = MappingProxyType(
    {
        "target": _target,
        "agent": _agent,
        "endpoint": _agent,
        "block": _block,
        "host": _host,
        "server-ip": _given,
        "dns-answer": _given,
        NAME_SERVER: _server,
        "pair": _pair,
        "agent-type*target": _inside,
        **dict.fromkeys(("hop", "link", "last-hop", "hop-prefix", "hop-network"), _path),
        **dict.fromkeys(("location", "network", "country", "label", "agent-type"), _of_agents),
        "run": _run,
    }
)
