"""The id of a run, the name that a test gets in the product, and the marker by which a lost one is found."""

from __future__ import annotations

from orchestrator.model import Spec

# No limit is documented; this is short enough for a column of the product.
LONGEST = 120


def run_id(wall: float, random: str) -> str:
    """A run id that sorts by time: hex seconds since the epoch and eight random hex digits."""
    return f"{int(wall):08x}{random}"


def marker(run: str, key: str) -> str:
    """Unique for a spec of a run; short, and a word of its own for searches."""
    return f"orc-{run[-6:]}-{key[:8]}"


def test_name(plan: str, run: str, spec: Spec) -> str:
    """Plan, test and target for people, then the marker."""
    sign = f"[{marker(run, spec.key)}]"
    words = " ".join(f"{plan} / {spec.test} / {spec.target}".split())
    words = "".join(letter for letter in words if letter.isprintable())
    room = LONGEST - len(sign) - 1
    return f"{words if len(words) <= room else words[: room - 1] + '…'} {sign}"
