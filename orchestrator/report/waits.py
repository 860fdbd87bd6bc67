"""What creations wait for, in words. The names are those of the journal's events and of a run's facts."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.events import Waiting
from orchestrator.safe import terminal

_WORDS: Mapping[Waiting, str] = {
    Waiting.INSTANT_TEST: "the instant-test budget",
    Waiting.ORGANIZATION: "the organization's budget",
    Waiting.SPACING: "the spacing of requests",
    Waiting.OPEN_TESTS: "open tests to finish",
    Waiting.CIRCUIT: "the API to answer again",
    Waiting.AMBIGUOUS: "creations to be answered again",
    Waiting.STORE: "the store to answer",
    Waiting.COURTESY: "room at hosts and agents (courtesy)",
}
WAITS: Mapping[str, str] = {reason.value: words for reason, words in _WORDS.items()}


def awaited(name: str) -> str:
    """Words for what is waited for; an unknown name stands for itself, escaped."""
    return WAITS.get(name) or terminal(name, 80)
