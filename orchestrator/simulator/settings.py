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
MATCHES = ("any", "create", "rerun", "read", "agents", "schedule", "snapshot", "usage")


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
class Culprit:
    """What is broken on purpose: everything that the pairs of ``kind`` and ``value`` have in common.

    ``kind`` is one word or, for what agents do to one target, two with ``*`` between them; ``value`` has a
    text for each. ``effect`` is a word of :data:`orchestrator.simulator.culprits.EFFECTS`, with its
    ``amount``: percent lost, the code of an answer, the factor by which (``unit`` "x") or the milliseconds
    (``unit`` "ms") that something gets slower. ``text`` is what an error says. It hits a ``share`` of the
    cells, in rounds that begin ``since`` to ``until`` seconds after the first test of the world.
    """

    kind: str
    value: tuple[str, ...]
    effect: str
    amount: float = 0.0
    unit: str = ""
    text: str | None = None
    share: float = 1.0
    since: float = 0.0
    until: float = math.inf

    def parts(self) -> tuple[tuple[str, str], ...]:
        """Each word of the kind with its value."""
        return tuple(zip(self.kind.split("*"), self.value, strict=True))


@dataclass(frozen=True, slots=True)
class Noise:
    """Other values in each run. The seed 0 is no noise, and so are sizes of 0.

    ``own`` is sigma of the factor by which the times of a cell vary (lognormal), ``common`` of that of all
    cells of a host, ``spikes`` the share of cells that are some times slower.
    """

    seed: int = 1
    own: float = 0.06
    common: float = 0.05
    spikes: float = 0.01

    def __post_init__(self) -> None:
        """Raise ValueError for noise that cannot be."""
        if not (0.0 <= self.own <= 2.0 and 0.0 <= self.common <= 2.0):
            raise ValueError("own and common must be between 0 and 2")
        if not 0.0 <= self.spikes <= 1.0:
            raise ValueError("spikes must be between 0 and 1")


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
    ``topology`` is how paths lie: ``random``, or ``shared`` by the agents of a network; left out they are
    shared where there are ``culprits``. ``links`` says which result links a created test has: ``documented``
    (network and path-vis, as in the vendor's examples), ``complete`` or ``missing``. ``spread`` is how much
    earlier than the last agent the first one may answer. ``trouble`` is the share of rows that are slow or
    lossy, ``error_rate`` of those that are errors.
    """

    seed: int = 1
    token: str | None = None
    email: str | None = None
    organization_limit: int = 240
    instant_limit: int = 24
    window: float = 60.0
    snapshot_limit: int = 5
    snapshot_window: float = 300.0
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
    units_included: int = 5_000_000
    units_used: int = 1_250_000
    usage_lag: float = 0.0
    base_url: str | None = None
    faults: tuple[Fault, ...] = ()
    topology: str | None = None
    noise: Noise | None = None
    culprits: tuple[Culprit, ...] = ()

    @property
    def shared(self) -> bool:
        """Whether agents share hops, and layers of a test agree on what is broken."""
        return self.topology == "shared" or (self.topology is None and bool(self.culprits))

    def __post_init__(self) -> None:
        """Raise ValueError for a world that cannot be."""
        self._must(
            1.0,
            math.inf,
            "organization_limit",
            "instant_limit",
            "snapshot_limit",
            "page_size",
            rule="be at least 1",
        )
        self._must(sys.float_info.min, math.inf, "window", "snapshot_window", "latency", rule="be positive")
        counts = ("cloud_agents", "enterprise_agents", "clusters")
        times = ("network_delay", "sigma", "layer_extra", "units_included", "units_used", "usage_lag")
        self._must(0.0, math.inf, *counts, *times, rule="not be negative")
        shares = ("others", "others_instant", "error_rate", "trouble", "spread")
        self._must(0.0, 1.0, *shares, rule="be between 0 and 1")
        self._must(0.0, self.longest, "shortest", rule="be between 0 and longest")
        if self.links not in {"documented", "complete", "missing"}:
            raise ValueError("links must be documented, complete or missing")
        if self.topology not in {None, "random", "shared"}:
            raise ValueError("topology must be random or shared")
        if self.topology == "random" and self.culprits:
            raise ValueError("topology must be shared where there are culprits")

    def _must(self, low: float, high: float, *names: str, rule: str) -> None:
        for name in names:
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must {rule}")
