"""The address that telemetry goes to, as it was written, checked before anything is sent."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from orchestrator.addresses import is_this_machine
from orchestrator.errors import UsageProblem

_HINT = "name the collector's base, for example http://localhost:4318; /v1/metrics and /v1/traces are added"


def otlp_base(url: str, *, allow_http: bool = False) -> str:
    """The base of a collector's addresses, without a slash at its end.

    Raises ``UsageProblem``, which repeats no user information and no query.
    """
    text = url.strip()
    if "@" in text or "?" in text or "#" in text:
        raise UsageProblem(
            "the address of --otlp must have no user, password, query or fragment",
            hint="set OTEL_EXPORTER_OTLP_HEADERS to what the collector wants to know",
        )
    try:
        parts = urlsplit(text)
        usable = parts.port != 0 and bool(parts.hostname)
    except ValueError:
        usable, parts = False, SplitResult("", "", "", "", "")
    if not usable or parts.scheme.lower() not in {"http", "https"} or not text.isprintable() or " " in text:
        raise UsageProblem(f"--otlp takes an address, not {text[:80]!r}", hint=_HINT)
    base = text.rstrip("/")
    if base.endswith(("/v1/metrics", "/v1/traces")):
        raise UsageProblem("the address of --otlp is that of one signal", hint=_HINT)
    if parts.scheme.lower() == "http" and not allow_http and not is_this_machine(parts.hostname or ""):
        raise UsageProblem(
            "the address of --otlp is plain http, and what is wrong in your network would travel in clear",
            hint="use https://, or --allow-http",
        )
    return base
