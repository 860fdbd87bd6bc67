"""What is logged of a defect of ours: which error, and where. Not the values that were at hand: secrets are
among them."""

from __future__ import annotations

import traceback

from orchestrator.safe import terminal


def defect(error: Exception) -> dict[str, str]:
    """The facts of a log line: the kind of the error, its text in one line, the place in our code."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "orchestrator" in frame.filename] or frames
    where = f"{ours[-1].filename.rpartition('orchestrator/')[2]}:{ours[-1].lineno}" if ours else "-"
    return {"error": type(error).__name__, "text": terminal(str(error), 200), "where": where}
