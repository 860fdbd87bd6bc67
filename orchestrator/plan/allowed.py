"""The plan's list of hosts that may be tested: its patterns, and targets that are not on it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from orchestrator.courtesy import Courtesy
from orchestrator.model import Target
from orchestrator.plan import hosts
from orchestrator.plan.fields import merged
from orchestrator.plan.model import TestBlock
from orchestrator.plan.problems import Problems, quoted
from orchestrator.testtypes.contacts import Contact, contacts

_WANTED = "a host, *.example.com for those below it, an address or a network (192.0.2.0/24)"
# A label in the place of a wildcard, to look at the rest of a pattern as at a host.
_LABEL = "a"


def host_pattern(text: str) -> str:
    """The pattern as hosts are held against it: in lower case, international names as they are sent.

    Raises ``ValueError`` with a sentence for what no host could match, or every host would.
    """
    bare = text.strip()
    if not bare:
        raise ValueError("a pattern is empty (is a variable empty?)")
    if not bare.strip("*?. "):
        raise ValueError(f"{quoted(text)} lets every host pass: leave 'allow' out for that")
    if "/" in bare and "://" not in bare:
        try:
            return str(ip_network(bare))
        except ValueError as error:
            raise ValueError(f"{quoted(text)} is no network: {error}; wanted is {_WANTED}") from error
    if "[" in bare and "*" in bare:
        raise ValueError(f"{quoted(text)} is not {_WANTED}")
    parts = [part.replace("?", _LABEL) for part in bare.split("*")]
    try:
        sent = hosts.registrar(_LABEL.join(parts), "a pattern")
    except hosts.AddressInvalid as error:
        raise ValueError(f"{quoted(text)} is not {_WANTED}") from error
    # Wildcards stay where they are: what is sent differs from what was written in international names alone.
    kept = bare if bare.isascii() else _with_wildcards(bare, sent)
    return kept.strip("[]").rstrip(".").lower()


def _with_wildcards(written: str, sent: str) -> str:
    labels = zip(written.rstrip(".").split("."), sent.rstrip(".").split("."), strict=False)
    return ".".join(label if label.isascii() else ascii_label for label, ascii_label in labels)


def refuse_strangers(tests: Sequence[TestBlock], courtesy: Courtesy, problems: Problems) -> None:
    """Note every target that would have a host tested that is not on the list, at its place."""
    if not courtesy.allow:
        return
    listed = ", ".join(courtesy.allow[:5]) + (", ..." if len(courtesy.allow) > 5 else "")
    for block in tests:
        for target, place in zip(block.targets, block.places, strict=True):
            for one in _strangers(block, target, courtesy):
                what = (
                    "the address of a step is known only when it runs"
                    if one.host is None
                    else (f"{one.field} has the host {quoted(one.host)}")
                )
                where = f"target {quoted(target.name)} of test {quoted(block.name)}"
                problems.add(place, f"{where}: {what}, and courtesy.allow lets only {listed} be tested")


def _strangers(block: TestBlock, target: Target, courtesy: Courtesy) -> list[Contact]:
    found = contacts(merged(block.fields, target.fields), block.raw)
    return [one for one in found if one.host is None or not courtesy.allows(one.host)]
