"""The simulated API without sockets: a request and the time in, an answer out."""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import json
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from email.utils import formatdate
from typing import Final
from urllib.parse import unquote

from orchestrator.simulator.crowd import crowd
from orchestrator.simulator.culprits import problems_of
from orchestrator.simulator.draws import share, source
from orchestrator.simulator.faults import (
    KINDS,
    Faults,
    When,
    anothers,
    paged,
    silence_of,
    spoil,
    strings_for_numbers,
)
from orchestrator.simulator.limits import Limits, Others, Window
from orchestrator.simulator.messages import (
    JsonObject,
    Made,
    Refusal,
    SimReply,
    SimRequest,
    Wire,
    WireFault,
)
from orchestrator.simulator.planted import planted
from orchestrator.simulator.routes import Call, Context, Record, Version
from orchestrator.simulator.settings import Fault, Settings
from orchestrator.simulator.spoiling import gateway_error, portal, spoil_reply
from orchestrator.simulator.v6 import V6
from orchestrator.simulator.v7 import V7
from orchestrator.simulator.world import World

__all__ = ["Fault", "Service", "Settings", "SimReply", "SimRequest", "Wire", "WireFault"]

# 120 or more 401 answers within an hour block the address (documented).
_UNAUTHORIZED_LIMIT, _UNAUTHORIZED_SPAN = 120, 3600.0
_DEFAULT_BASE: Final = "https://api.thousandeyes.com"
_UNAUTHORIZED, _TOO_MANY = 401, 429


class Service:
    """One organization's API. Deterministic: the same requests at the same times give the same answers.

    ``scheme`` is how links to this service begin when the settings name no base; a door with TLS sets it.
    """

    def __init__(self, settings: Settings) -> None:
        """Raise ValueError for culprits that are not there."""
        if problems := problems_of(settings):
            raise ValueError("\n".join(problems))
        self.settings = settings
        self.scheme = "http"
        self.world = World(settings, silence_of(settings.faults))
        self._versions: dict[str, Version] = {"v7": V7(), "v6": V6()}
        self._faults = Faults(settings.seed, settings.faults)
        self._record = Record()
        self._requests: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._tokens: set[str] = set()
        self._unauthorized: deque[float] = deque()
        self._count = 0
        self._earlier: Made | None = None
        length, aligned = settings.window, settings.aligned
        self._limits = Limits(
            Window(settings.organization_limit, length, aligned),
            Window(settings.instant_limit, length, aligned),
            Others(settings.others * settings.organization_limit / length, source(settings.seed, "others")),
            Others(
                settings.others_instant * settings.instant_limit / length,
                source(settings.seed, "others", "instant"),
            ),
        )

    def handle(self, request: SimRequest, now: float) -> SimReply:
        """Answer one request that arrives at ``now`` (simulated epoch seconds)."""
        if request.path.startswith("/_simulator/"):
            return self._own(request)
        self._count += 1
        reply = self._answer(request, now)
        jitter = 0.5 + share(self.settings.seed, "network", self._count)
        return replace(reply, delay=reply.delay + self.settings.network_delay * jitter)

    def witness(self) -> JsonObject:
        """What really happened. Tokens are fingerprints: the first 12 hex digits of their SHA-256."""
        told: JsonObject = {
            "creations": list(self._record.creations),
            "reruns": list(self._record.reruns),
            "scheduled": list(self._record.scheduled),
            "snapshots": list(self._record.snapshots),
            "requests": dict(self._requests),
            "refused_429": {"own": self._refused.total(), **self._refused, "others": self._others_refused},
            "others": {"taken": self._limits.others.taken, "refused": self._limits.others.refused},
            "unauthorized": self._requests["unauthorized"],
            "unknown_fields": sorted(set(self._record.unknown_fields)),
            "tokens": sorted(self._tokens),
        }
        if self.settings.culprits:
            told["planted"] = planted(self.world)
        return told

    @property
    def _others_refused(self) -> int:
        return self._limits.others.refused + self._limits.others_instant.refused

    # --- the way of one request

    def _answer(self, request: SimRequest, now: float) -> SimReply:
        date = formatdate(int(now), usegmt=True)
        prefix, _, rest = unquote(request.path).strip("/").partition("/")
        version = self._versions.get(prefix)
        if version is None:
            return self._elsewhere(request, prefix, rest, date)
        call, method = version.classify(rest, request.method) or (Call("other", _nothing), request.method)
        self._requests[call.kind] += 1
        faults = self._faults.hit(call.kind, call.layer, self._type_of(call))
        early = next((fault for fault in faults if KINDS[fault.kind][0] is When.BEFORE), None)
        if early is not None:
            return self._before(early, date)
        if prefix == "v6" and rest.removesuffix(".json") == "status":
            # This page needs no token and is not counted.
            body = json.dumps({"timestamp": int(now * 1000)}).encode()
            return SimReply(200, {"Date": date, "Content-Type": "application/json"}, body)
        return self._authorized(request, now, date, version, call, method, faults)

    def _authorized(
        self,
        request: SimRequest,
        now: float,
        date: str,
        version: Version,
        call: Call,
        method: str,
        faults: Sequence[Fault],
    ) -> SimReply:
        while self._unauthorized and self._unauthorized[0] <= now - _UNAUTHORIZED_SPAN:
            self._unauthorized.popleft()
        if len(self._unauthorized) >= _UNAUTHORIZED_LIMIT:
            refusal = Refusal(_TOO_MANY, "Too many unauthorized requests from this address")
            return self._reply(version.problem(refusal, request.path), {}, date, faults=())
        kinds = {fault.kind for fault in faults}
        if not self._knows(request, version.prefix) or "401" in kinds:
            self._unauthorized.append(now)
            self._requests["unauthorized"] += 1
            refusal = Refusal(_UNAUTHORIZED, "Invalid access token")
            return self._reply(version.problem(refusal, request.path), {}, date, faults=())
        taken = self._limits.take(now, instant=call.instant)
        if "429" in kinds:
            self._limits.exhaust(instant=call.instant)
        if not taken or "429" in kinds:
            return self._too_many(version, request, call, date)
        limits = self._limits.headers(instant=call.instant) if self.settings.headers else {}
        forced = self._forced(faults, request, version, date, limits)
        if forced is not None:
            return forced
        made = self._run(request, now, version, call, method)
        self._spoil(made, faults, call, request)
        if self.settings.numbers_as_strings:
            made.payload = strings_for_numbers(made.payload)
        return self._reply(made, limits, date, faults)

    def _spoil(self, made: Made, faults: Sequence[Fault], call: Call, request: SimRequest) -> None:
        href = self._base(request) + request.path
        if call.kind == "create" and made.status < 300:
            self._earlier = self._earlier or copy.deepcopy(made)
            anothers(made, self._earlier, faults)
        for fault in faults:
            if fault.kind == "paged-listing":
                paged(made, fault, request, href)
        spoil(made, faults, href)

    def _run(self, request: SimRequest, now: float, version: Version, call: Call, method: str) -> Made:
        if request.method != method:
            refusal = Refusal(405, f"Method {request.method[:20]} is not allowed here")
            refusal.allow = method
            return version.problem(refusal, request.path)
        try:
            context = self._context(request, now, version)
            return call.run(context, request, *call.args)
        except Refusal as refusal:
            if refusal.status == _TOO_MANY:
                self._refused[call.kind] += 1
            return version.problem(refusal, request.path)

    def _context(self, request: SimRequest, now: float, version: Version) -> Context:
        settings = self.settings
        known = [str(group.aid) for group in settings.account_groups]
        aid = request.query.get("aid", known[0])
        if aid not in known:
            raise Refusal(403, f"The user is not assigned to account group {aid[:40]}")
        forgetful = self._faults.worldly("404-fresh")
        return Context(
            world=self.world,
            settings=settings,
            record=self._record,
            now=now,
            base=self._base(request),
            prefix=version.prefix,
            aid=aid,
            hostile=self._faults.worldly("hostile") is not None,
            foreign_links=self._faults.worldly("foreign-links") is not None,
            forgetful=0 if forgetful is None else int(forgetful.value or 1),
        )

    # --- answers that are not the API's own

    def _own(self, request: SimRequest) -> SimReply:
        """Health and what was seen; neither is limited."""
        pages: dict[str, JsonObject] = {"/_simulator/health": {"status": "ok"}}
        if request.path == "/_simulator/witness":
            pages[request.path] = self.witness()
        elif request.path == "/_simulator/crowd":
            pages[request.path] = crowd(self.world)
        page = pages.get(request.path)
        status, body = (404, b"{}") if page is None else (200, json.dumps(page).encode())
        return SimReply(status, {"Content-Type": "application/json"}, body)

    def _elsewhere(self, request: SimRequest, prefix: str, rest: str, date: str) -> SimReply:
        """Unknown versions are redirected to the current one (documented for version 6's site)."""
        self._requests["other"] += 1
        if prefix[:1] == "v" and prefix[1:].isdigit():
            return SimReply(301, {"Date": date, "Location": f"{self._base(request)}/v7/{rest}"}, b"")
        return SimReply(404, {"Date": date, "Content-Type": "text/plain"}, b"not found\n")

    @staticmethod
    def _before(fault: Fault, date: str) -> SimReply:
        if fault.kind.isdigit():
            return gateway_error(int(fault.kind), date)
        if fault.kind.startswith("portal"):
            return portal(date, as_json=fault.kind == "portal-json")
        return spoil_reply(SimReply(200, {"Date": date}, b""), fault)

    def _forced(
        self,
        faults: Sequence[Fault],
        request: SimRequest,
        version: Version,
        date: str,
        limits: dict[str, str],
    ) -> SimReply | None:
        """The refusal that a fault asks for; counted by the limits like any other call."""
        for fault in faults:
            refusal = _FORCED.get(fault.kind)
            if refusal is not None:
                made = version.problem(Refusal(*refusal), request.path)
                headers = {} if fault.kind in {"429-no-headers", "retry-after"} else limits
                if fault.kind == "retry-after":
                    made.headers["Retry-After"] = str(int(10 if fault.value is None else fault.value))
                return self._reply(made, headers, date, ())
            if fault.kind in {"redirect", "redirect-same"}:
                origin = self._base(request) if fault.kind == "redirect-same" else _origin(fault)
                path = request.path + ("/moved" if fault.kind == "redirect-same" else "")
                return SimReply(307, {"Date": date, "Location": origin + path, **limits}, b"")
        return None

    def _too_many(self, version: Version, request: SimRequest, call: Call, date: str) -> SimReply:
        limits = self._limits
        exhausted = "instant" if call.instant and limits.instant.remaining < 1 else "organization"
        self._refused[exhausted] += 1
        refusal = Refusal(_TOO_MANY, f"Exhausted rate limit for the {exhausted}")
        headers = limits.headers(instant=call.instant) if self.settings.headers else {}
        return self._reply(version.problem(refusal, request.path), headers, date, ())

    def _reply(self, made: Made, limits: dict[str, str], date: str, faults: Sequence[Fault]) -> SimReply:
        body = made.body()
        headers = {"Date": date, "Cache-Control": "no-store", **limits, **made.headers}
        if body:
            headers["Content-Type"] = made.content_type
        reply = SimReply(made.status, headers, body)
        for fault in faults:
            reply = spoil_reply(reply, fault)
        return reply

    # --- who is asking, and for what

    def _knows(self, request: SimRequest, prefix: str) -> bool:
        """Bearer for both versions; version 6 also takes e-mail and token as HTTP Basic."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        text = text.strip()
        token, email = text, None
        if scheme.lower() == "basic" and prefix == "v6":
            try:
                email, _, token = base64.b64decode(text, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif scheme.lower() != "bearer":
            return False
        if token:
            self._tokens.add(hashlib.sha256(token.encode()).hexdigest()[:12])
        if not token or self.settings.token not in {None, token}:
            return False
        return scheme.lower() == "bearer" or self.settings.email in {None, email}

    def _type_of(self, call: Call) -> str | None:
        if call.test_id is None:
            return call.type_name
        try:
            return self.world.test(call.test_id).definition.type
        except Refusal:
            return None

    def _base(self, request: SimRequest) -> str:
        """The origin of links: as set, else as the client called us."""
        if self.settings.base_url is not None:
            return self.settings.base_url.rstrip("/")
        host = request.headers.get("host")
        return f"{self.scheme}://{host}" if host else _DEFAULT_BASE


_FORCED: Final = {
    "500": (500, "Optional detail about the internal error message."),
    "400": (400, "The request is malformed"),
    "409": (409, "A test of this name exists"),
    "422": (422, "The request cannot be processed"),
    "403": (403, "Insufficient permissions to query endpoint"),
    "404": (404, "Details explaining if the 404 error is related to an invalid URI or a wrong ID"),
    "429-no-headers": (429, "Exhausted rate limit for the organization"),
    "retry-after": (429, "Exhausted rate limit for the organization"),
}


def _origin(fault: Fault) -> str:
    return (fault.target or "http://foreign.invalid").rstrip("/")


def _nothing(_context: Context, _request: SimRequest) -> Made:
    raise Refusal(404, "The requested URI does not exist")
