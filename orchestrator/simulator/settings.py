"""What kind of world is simulated. All durations are simulated seconds, shares are 0..1."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# Medians of the time from creation to the last row. The vendor publishes none; these are a prior.
NETWORK_MEDIAN, WEB_MEDIAN, BROWSER_MEDIAN = 18.0, 30.0, 50.0

MEDIANS: Mapping[str, float] = MappingProxyType(
    {
        "agent-to-server": NETWORK_MEDIAN,
        "agent-to-agent": NETWORK_MEDIAN,
        "dns-server": NETWORK_MEDIAN,
        "dns-trace": NETWORK_MEDIAN,
        "dnssec": NETWORK_MEDIAN,
        "voice": NETWORK_MEDIAN,
        "http-server": WEB_MEDIAN,
        "ftp-server": WEB_MEDIAN,
        "sip-server": WEB_MEDIAN,
        "api": WEB_MEDIAN,
        "page-load": BROWSER_MEDIAN,
        "web-transactions": BROWSER_MEDIAN,
    }
)

# Calls that a fault can be aimed at. "agents" is every look at agents, labels and account groups.
MATCHES = ("any", "create", "rerun", "read", "agents")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, and when.

    It hits requests of the kind ``match`` (narrowed by ``layer`` and ``type``): the ``nth`` of them, or
    the ``first`` so many, all ``after`` the first so many, or each with ``probability``, or - nothing
    given - all. ``value`` is the size of the trouble: seconds, bytes, looks, whatever the kind says.
    ``target`` is an origin or an agent id.
    """

    kind: str
    match: str = "any"
    probability: float | None = None
    nth: int | None = None
    first: int | None = None
    after: int | None = None
    layer: str | None = None
    type: str | None = None
    value: float | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class AccountGroup:
    """An account group that the token may use."""

    aid: int
    name: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be chosen. The defaults are the documented API on a good day.

    ``token`` None accepts any. ``aligned`` windows change at the clock minute (as published samples
    show); otherwise they begin at the first request (as the vendor's text says). ``others`` and
    ``others_instant`` are the shares of the limits that other users of the organization eat.
    ``links`` says which result links a created test has: ``documented`` (network and path-vis, as in the
    vendor's examples), ``complete`` or ``missing``. ``spread`` is how much earlier than the last agent
    the first one may answer. ``trouble`` is the share of rows that are slow or lossy, ``error_rate`` of those
    that are errors.
    """

    seed: int = 1
    token: str | None = None
    email: str | None = None
    organization_limit: int = 240
    instant_limit: int = 24
    window: float = 60.0
    aligned: bool = True
    headers: bool = True
    others: float = 0.0
    others_instant: float = 0.0
    medians: Mapping[str, float] = field(default_factory=lambda: MEDIANS)
    sigma: float = 0.4
    latency: float = 1.0
    shortest: float = 8.0
    longest: float = 150.0
    layer_extra: float = 1.5
    spread: float = 0.5
    network_delay: float = 0.1
    cloud_agents: int = 40
    enterprise_agents: int = 20
    clusters: int = 2
    countries: tuple[str, ...] = ()
    target_only: tuple[int, ...] = ()
    all_online: bool = False
    error_rate: float = 0.0
    trouble: float = 0.0
    page_size: int = 1000
    links: str = "documented"
    listed: bool = False
    numbers_as_strings: bool = False
    shared_rounds: bool = True
    refuse_unknown_fields: bool = False
    refuse_disabled: bool = False
    account_groups: tuple[AccountGroup, ...] = (AccountGroup(1234, "Default"), AccountGroup(5678, "Lab"))
    organization: str = "Example Organization"
    organization_id: int = 42
    base_url: str | None = None
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for a world that cannot be."""
        self._must(1.0, math.inf, "organization_limit", "instant_limit", "page_size", rule="be at least 1")
        self._must(sys.float_info.min, math.inf, "window", "latency", rule="be positive")
        counts = ("cloud_agents", "enterprise_agents", "clusters")
        times = ("network_delay", "sigma", "layer_extra")
        self._must(0.0, math.inf, *counts, *times, rule="not be negative")
        shares = ("others", "others_instant", "error_rate", "trouble", "spread")
        self._must(0.0, 1.0, *shares, rule="be between 0 and 1")
        self._must(0.0, self.longest, "shortest", rule="be between 0 and longest")
        if self.links not in {"documented", "complete", "missing"}:
            raise ValueError("links must be documented, complete or missing")

    def _must(self, low: float, high: float, *names: str, rule: str) -> None:
        for name in names:
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must {rule}")
