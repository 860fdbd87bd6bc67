"""Spoiling an answer as bytes: status, headers, body, wire."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

from orchestrator.simulator.messages import SimReply, Wire, WireFault
from orchestrator.simulator.settings import Fault

_SLOW: Final = 20.0  # simulated seconds
_HUGE: Final = 100_000_000  # bytes
_JUMP: Final = 3600.0  # seconds
PAGE: Final = (
    b"<html><head><title>502 Bad Gateway</title></head>"
    b"<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body></html>\r\n"
)

_LOGIN: Final = (
    b"<!DOCTYPE html><html><head><title>Guest network</title></head><body><form>Log in</form></body></html>"
)


def gateway_error(status: int, date: str) -> SimReply:
    """What a proxy in front of the API says: HTML, and no limit headers."""
    body = PAGE.replace(b"502 Bad Gateway", f"{status} {_REASONS[status]}".encode())
    headers = {"Content-Type": "text/html", "Date": date}
    if status < 400:
        headers["Location"] = "http://login.invalid/"
    return SimReply(status, headers, body)


def portal(date: str, *, as_json: bool) -> SimReply:
    """What a captive portal says to whatever is asked."""
    body = b'{"login": "http://login.invalid/", "agree": true}' if as_json else _LOGIN
    kind = "application/json" if as_json else "text/html"
    return SimReply(200, {"Content-Type": kind, "Date": date}, body)


_REASONS: Final = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
    302: "Found",
    303: "See Other",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    408: "Request Time-out",
    499: "Client Closed Request",
}


def spoil_reply(reply: SimReply, fault: Fault) -> SimReply:
    """The reply as this fault leaves it; faults of another kind leave it alone."""
    if fault.kind.endswith("-taken"):
        return replace(gateway_error(int(fault.kind[:3]), reply.headers.get("Date", "")), delay=reply.delay)
    wire = _WIRES.get(fault.kind)
    if wire is not None:
        return replace(reply, wire=WireFault(wire, _SLOW if fault.value is None else fault.value))
    change = _CHANGES.get(fault.kind)
    return reply if change is None else change(reply, fault)


_WIRES: Final = {
    "reset-before": Wire.RESET,
    "reset-after": Wire.RESET,
    "silent-before": Wire.HANG,
    "silent-after": Wire.HANG,
    "truncated": Wire.TRUNCATE,
    "slow-body": Wire.SLOW,
    "endless-body": Wire.ENDLESS,
}


def _slow_headers(reply: SimReply, fault: Fault) -> SimReply:
    return replace(reply, delay=reply.delay + (_SLOW if fault.value is None else fault.value))


def _half(reply: SimReply, _fault: Fault) -> SimReply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _no_json(reply: SimReply, _fault: Fault) -> SimReply:
    return replace(reply, body=b'{"results": [NaN, }} this is not JSON \xff\xfe')


def _control(reply: SimReply, _fault: Fault) -> SimReply:
    """In the first error or name of an agent: a raw tab, a raw line break, and half of an umlaut."""
    names = rb'("(?:errorDetails|agentName|location)": ?")'
    return replace(reply, body=re.sub(names, rb"\1\t\n" + b"\xc3 ", reply.body, count=1))


def _page(reply: SimReply, _fault: Fault) -> SimReply:
    return replace(_with(reply, {"Content-Type": "text/html"}), body=PAGE)


def _empty(reply: SimReply, _fault: Fault) -> SimReply:
    return replace(reply, body=b"")


def _wrong_type(reply: SimReply, _fault: Fault) -> SimReply:
    return _with(reply, {"Content-Type": "text/plain"})


def _huge(reply: SimReply, fault: Fault) -> SimReply:
    # Blanks before the JSON: a client that reads it all still finds a valid document.
    size = _HUGE if fault.value is None else int(fault.value)
    return replace(reply, body=b" " * max(0, size - len(reply.body)) + reply.body)


def _jump(reply: SimReply, fault: Fault) -> SimReply:
    seconds = _JUMP if fault.value is None else fault.value
    if "Date" not in reply.headers:
        return reply
    shown = parsedate_to_datetime(reply.headers["Date"]).timestamp()
    return _with(reply, {"Date": formatdate(shown + seconds, usegmt=True)})


def _no_date(reply: SimReply, _fault: Fault) -> SimReply:
    return replace(reply, headers={name: text for name, text in reply.headers.items() if name != "Date"})


def _absurd(reply: SimReply, _fault: Fault) -> SimReply:
    values = {"Limit": "99999999999999999999", "Remaining": "-5", "Reset": "32503680000000"}
    return _with(reply, {name: values[name.rsplit("-", 1)[1]] for name in _limit_names(reply)})


def _malformed(reply: SimReply, _fault: Fault) -> SimReply:
    values = {"Limit": "plenty", "Remaining": "", "Reset": "soon, 17"}
    return _with(reply, {name: values[name.rsplit("-", 1)[1]] for name in _limit_names(reply)})


def _no_limits(reply: SimReply, _fault: Fault) -> SimReply:
    gone = set(_limit_names(reply))
    return replace(reply, headers={name: text for name, text in reply.headers.items() if name not in gone})


def _limit_names(reply: SimReply) -> list[str]:
    return [name for name in reply.headers if "-Rate-Limit-" in name]


def _with(reply: SimReply, headers: dict[str, str]) -> SimReply:
    return replace(reply, headers={**reply.headers, **headers})


_CHANGES: Final[dict[str, Callable[[SimReply, Fault], SimReply]]] = {
    "slow-headers": _slow_headers,
    "truncated-json": _half,
    "invalid-json": _no_json,
    "html": _page,
    "empty-body": _empty,
    "control-characters": _control,
    "wrong-content-type": _wrong_type,
    "huge": _huge,
    "clock-jump": _jump,
    "no-date": _no_date,
    "absurd-limits": _absurd,
    "malformed-limits": _malformed,
    "no-limits": _no_limits,
}
