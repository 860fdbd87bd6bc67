"""Whether an answer is about what was asked. Pure.

A connection can carry an answer that nobody asked for (a gateway that writes a second one), and whoever takes
it for its own stores rows under the wrong target. An answer says itself what it is about, so it is held
against the request: what it tells must not contradict, what it does not tell proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestrator.model import Json, JsonObject, Spec
from orchestrator.testtypes import TEST_TYPES
from orchestrator.thousandeyes.limits import has_limits
from orchestrator.thousandeyes.protocol import BadAnswer, Created, Reply, Request
from orchestrator.thousandeyes.scalars import identifier, items, mapping, parse_object, text

# The sign that ends every name of ours (``runner/naming.py``), whoever's run it is.
_SIGN = re.compile(r"\[orc-[^\]\s]{1,40}\]")
# A name that was cut short by the API is a beginning of ours; a shorter one could be anybody's.
_SHORTEST_CUT = 20


def contradiction(made: Created, request: Request, spec: Spec) -> str | None:
    """What the answer to a creation says of itself that was not asked for, in words; else ``None``."""
    sent = mapping(request.body)
    name = text(sent.get("testName"))
    if name is not None and made.told.name is not None and not _same_name(made.told.name, name):
        return f"it is about a test of the name {made.told.name[:200]!r}"
    kind = _type(made.told.type)
    if kind is not None and kind != spec.type:
        return f"it is about a test of type {kind}, not {spec.type}"
    asked = agents_of(sent)
    strangers = sorted(made.told.agents - asked) if asked else []
    if strangers:
        return f"it is about a test of agents that were not asked for: {', '.join(strangers[:5])}"
    return None


def agents_of(test: JsonObject) -> frozenset[str]:
    """The ids of a test's agents, as a body or an answer lists them; empty where it lists none."""
    listed = (mapping(item).get("agentId", item) for item in items(test.get("agents")))
    return frozenset(found for item in listed if (found := identifier(item)) is not None)


def from_the_api(reply: Reply) -> bool:
    """Whether an answer that is no success comes from the API, not from a portal or gateway before it.

    The API answers in JSON objects, and tells its limits.
    """
    if has_limits(reply.headers):
        return True
    try:
        parse_object(reply.body, "an answer")
    except BadAnswer:
        return False
    return True


def _same_name(told: str, sent: str) -> bool:
    """Equal but for blanks and case; with the same sign; or cut short."""
    one, other = _plain(told), _plain(sent)
    if one == other:
        return True
    signs = _SIGN.findall(one)
    if signs:
        return signs == _SIGN.findall(other)
    cut = one.rstrip("….").rstrip()
    return len(cut) >= _SHORTEST_CUT and other.startswith(cut)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _type(told: Json) -> str | None:
    """Our name of a type that is told in the words of either version; ``None`` for a word we do not know."""
    found = text(told)
    return None if found is None else _TYPES.get(found.strip().lower().replace("_", "-"))


_TYPES: Mapping[str, str] = {
    **{kind.v6_name: name for name, kind in TEST_TYPES.items() if kind.v6_name is not None},
    **{name: name for name in TEST_TYPES},
}
