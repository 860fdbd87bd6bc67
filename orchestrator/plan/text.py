"""The text of a file that people write: read without hanging, of a bounded size, and UTF-8."""

from __future__ import annotations

from pathlib import Path

from orchestrator.files import read_file
from orchestrator.plan.problems import Place, Problems

MAX_BYTES = 5 * 1024 * 1024
_UTF_16 = "UTF-16 text; save it as UTF-8"
_NO_TEXT = {
    b"PK\x03\x04": "a workbook (or another archive), not text; export it as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "a workbook, not text; export it as CSV in UTF-8",
    b"\xff\xfe": _UTF_16,
    b"\xfe\xff": _UTF_16,
}


def text_of(path: Path, problems: Problems, what: str = "the file") -> str | None:
    """The text of a file, called ``what``; ``None``, and a problem, where it cannot be read."""
    try:
        data = read_file(path, MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problems.add(Place(str(path)), f"{what} cannot be read: {reason}")
        return None
    return decode(data, str(path), problems)


def decode(data: bytes, file: str, problems: Problems) -> str | None:
    """The text of a file, which must be UTF-8 of a bounded size."""
    if len(data) > MAX_BYTES:
        problems.add(Place(file), f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cause = next((text for mark, text in _NO_TEXT.items() if data.startswith(mark)), None)
        if cause is not None:
            problems.add(Place(file), f"the file is {cause}")
            return None
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        problems.add(Place(file, line, column), "the file is not UTF-8 text")
        return None
