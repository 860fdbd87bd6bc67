"""The JSON document of a diagnosis: that of its insight, and a key of its own."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.diagnosis import words
from orchestrator.diagnosis.found import Found
from orchestrator.diagnosis.ticket import Account
from orchestrator.insight.document import document as insight_document
from orchestrator.insight.words import plain

Mask = Callable[[str], str]


def document(
    found: Found, account: Account, exit_code: int, mask: Mask = str, *, cells: bool = False
) -> dict[str, object]:
    """What was found; ``cells`` lists those of each explanation."""
    told = words.sentence(found, final=True)
    return {
        **insight_document(found.insight, mask, cells=cells),
        "diagnose": {
            "targets": [one.text for one in found.asked.subjects],
            "controls": [one.text for one in found.asked.controls],
            "sentence": mask(plain(told.text)),
            "sure": told.sure or None,
            "waves": 2 if found.second_asked else 1,
            "stopped": account.stopped,
            "confirmed": found.confirmed if found.bad else False,
            "recovered": len(found.recovered),
            "silent": [*found.silent],
            "seconds": round(account.seconds, 1),
            "run": account.run,
            "confirming_run": account.again,
            "tests": account.tests,
            "reruns": account.reruns,
            "units": account.units,
            "exit_code": exit_code,
            "snapshot": None if account.snapshot is None else account.snapshot.link,
        },
    }
