"""What creations wait for, in words. The names are those of the journal's events and of a run's facts."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.safe import terminal

WAITS: Mapping[str, str] = {
    "instant_test": "the instant-test budget",
    "organization": "the organization's budget",
    "creation": "the instant-test budget",
    "pacer": "the spacing of requests",
    "wip": "open tests to finish",
    "circuit": "the API to answer again",
    "doubt": "creations to be answered again",
}


def awaited(name: str) -> str:
    """Words for what is waited for; an unknown name stands for itself, escaped."""
    return WAITS.get(name) or terminal(name, 80)
