"""Write the recorded documents afresh: ``python tests/documents/record.py``.

Only to be done deliberately. The recorded texts are what the documents were before a change that must not
alter them; writing them afresh in the same breath as that change makes the test beside this file say nothing.
Do it when the scenarios change, or when a document is meant to change and its difference was read line by
line.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parents[1])]

from recorded_documents import documents_of, run_names  # noqa: E402 - found by the entries above


def main(folder: Path) -> None:
    """Write the documents of all runs into the folder; what was there is removed first."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in run_names():
        there = folder / name
        there.mkdir(parents=True)
        for document, content in documents_of(name).items():
            (there / document).write_bytes(content)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{len(run_names())} runs, {size} bytes in {folder.name}")  # noqa: T201 - the answer of a script


if __name__ == "__main__":
    main(HERE / "recorded")
