"""The agents of the simulated organization: cloud agents, branches, data centres."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.simulator.draws import number
from orchestrator.simulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Member:
    """One machine of a cluster."""

    id: int
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class SimAgent:
    """An agent. ``state`` is online, offline or disabled, and None for cloud agents and clusters.

    ``tags`` are (key, value) pairs; v6 shows their values as label names.
    """

    id: int
    name: str
    type: str
    country: str
    location: str
    latitude: float
    longitude: float
    address: str
    network: str
    state: str | None = None
    members: tuple[Member, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    target_only: bool = False

    @property
    def answers(self) -> bool:
        """Whether it ever measures anything: it, or one machine of it, is online."""
        if self.members:
            return any(member.state == "online" for member in self.members)
        return self.state in {None, "online"}

    @property
    def disabled(self) -> bool:
        return self.state == "disabled"


# name, country, location, latitude, longitude, region
_CLOUD: tuple[tuple[str, str, str, float, float, str], ...] = (
    ("London, England", "GB", "London Area", 51.51, -0.13, "emea"),
    ("Manchester, England", "GB", "Manchester Area", 53.48, -2.24, "emea"),
    ("Frankfurt, Germany", "DE", "Frankfurt Area", 50.11, 8.68, "emea"),
    ("Berlin, Germany", "DE", "Berlin Area", 52.52, 13.41, "emea"),
    ("Munich, Germany", "DE", "Munich Area", 48.14, 11.58, "emea"),
    ("Paris, France", "FR", "Paris Area", 48.86, 2.35, "emea"),
    ("Marseille, France", "FR", "Marseille Area", 43.30, 5.37, "emea"),
    ("Amsterdam, Netherlands", "NL", "Amsterdam Area", 52.37, 4.90, "emea"),
    ("Brussels, Belgium", "BE", "Brussels Area", 50.85, 4.35, "emea"),
    ("Madrid, Spain", "ES", "Madrid Area", 40.42, -3.70, "emea"),
    ("Milan, Italy", "IT", "Milan Area", 45.46, 9.19, "emea"),
    ("Zurich, Switzerland", "CH", "Zurich Area", 47.37, 8.54, "emea"),
    ("Vienna, Austria", "AT", "Vienna Area", 48.21, 16.37, "emea"),
    ("Warsaw, Poland", "PL", "Warsaw Area", 52.23, 21.01, "emea"),
    ("Stockholm, Sweden", "SE", "Stockholm Area", 59.33, 18.07, "emea"),
    ("Oslo, Norway", "NO", "Oslo Area", 59.91, 10.75, "emea"),
    ("Dublin, Ireland", "IE", "Dublin Area", 53.35, -6.26, "emea"),
    ("Istanbul, Türkiye", "TR", "Istanbul Area", 41.01, 28.98, "emea"),
    ("Dubai, United Arab Emirates", "AE", "Dubai Area", 25.20, 55.27, "emea"),
    ("Johannesburg, South Africa", "ZA", "Johannesburg Area", -26.20, 28.05, "emea"),
    ("Cairo, Egypt", "EG", "Cairo Area", 30.04, 31.24, "emea"),
    ("Ashburn, VA", "US", "Northern Virginia", 39.04, -77.49, "amer"),
    ("New York, NY", "US", "New York Area", 40.71, -74.01, "amer"),
    ("Chicago, IL", "US", "Chicago Area", 41.88, -87.63, "amer"),
    ("Dallas, TX", "US", "Dallas-Fort Worth Area", 32.78, -96.80, "amer"),
    ("Los Angeles, CA", "US", "Greater Los Angeles Area", 34.05, -118.24, "amer"),
    ("San Jose, CA", "US", "San Francisco Bay Area", 37.34, -121.89, "amer"),
    ("Seattle, WA", "US", "Greater Seattle Area", 47.61, -122.33, "amer"),
    ("Atlanta, GA", "US", "Greater Atlanta Area", 33.75, -84.39, "amer"),
    ("Toronto, Canada", "CA", "Toronto Area", 43.65, -79.38, "amer"),
    ("Montreal, Canada", "CA", "Montreal Area", 45.50, -73.57, "amer"),
    ("São Paulo, Brazil", "BR", "São Paulo Area", -23.55, -46.63, "amer"),
    ("Mexico City, Mexico", "MX", "Mexico City Area", 19.43, -99.13, "amer"),
    ("Singapore", "SG", "Singapore", 1.35, 103.82, "apac"),
    ("Tokyo, Japan", "JP", "Tokyo Area", 35.68, 139.69, "apac"),
    ("Osaka, Japan", "JP", "Osaka Area", 34.69, 135.50, "apac"),
    ("Sydney, Australia", "AU", "Sydney Area", -33.87, 151.21, "apac"),
    ("Mumbai, India", "IN", "Mumbai Area", 19.08, 72.88, "apac"),
    ("Hong Kong", "HK", "Hong Kong", 22.32, 114.17, "apac"),
    ("Seoul, South Korea", "KR", "Seoul Area", 37.57, 126.98, "apac"),
)

# name, country, city, latitude, longitude, region, site, state
_SITES: tuple[tuple[str, str, str, float, float, str, str, str], ...] = (
    ("hq-london", "GB", "London", 51.51, -0.13, "emea", "hq", "online"),
    ("hq-new-york", "US", "New York", 40.71, -74.01, "amer", "hq", "online"),
    ("branch-01-london", "GB", "London", 51.50, -0.08, "emea", "branch", "online"),
    ("branch-02-leeds", "GB", "Leeds", 53.80, -1.55, "emea", "branch", "online"),
    ("branch-03-hamburg", "DE", "Hamburg", 53.55, 9.99, "emea", "branch", "online"),
    ("branch-04-munich", "DE", "Munich", 48.14, 11.58, "emea", "branch", "online"),
    ("branch-05-paris", "FR", "Paris", 48.86, 2.35, "emea", "branch", "online"),
    ("branch-06-lyon", "FR", "Lyon", 45.76, 4.84, "emea", "branch", "online"),
    ("branch-07-madrid", "ES", "Madrid", 40.42, -3.70, "emea", "branch", "offline"),
    ("branch-08-milan", "IT", "Milan", 45.46, 9.19, "emea", "branch", "online"),
    ("branch-09-oslo", "NO", "Oslo", 59.91, 10.75, "emea", "branch", "online"),
    ("branch-10-warsaw", "PL", "Warsaw", 52.23, 21.01, "emea", "branch", "online"),
    ("branch-11-boston", "US", "Boston", 42.36, -71.06, "amer", "branch", "online"),
    ("branch-12-denver", "US", "Denver", 39.74, -104.99, "amer", "branch", "online"),
    ("branch-13-miami", "US", "Miami", 25.76, -80.19, "amer", "branch", "disabled"),
    ("branch-14-toronto", "CA", "Toronto", 43.65, -79.38, "amer", "branch", "online"),
    ("branch-15-singapore", "SG", "Singapore", 1.35, 103.82, "apac", "branch", "online"),
    ("branch-16-tokyo", "JP", "Tokyo", 35.68, 139.69, "apac", "branch", "online"),
    ("branch-lab-01", "GB", "London", 51.52, -0.10, "emea", "lab", "online"),
    ("branch-lab-02", "DE", "Frankfurt", 50.11, 8.68, "emea", "lab", "offline"),
)

# name, country, city, latitude, longitude, region, states of the members
_CLUSTERS: tuple[tuple[str, str, str, float, float, str, tuple[str, ...]], ...] = (
    ("dc-frankfurt", "DE", "Frankfurt", 50.11, 8.68, "emea", ("online", "online", "online")),
    ("dc-ashburn", "US", "Ashburn", 39.04, -77.49, "amer", ("online", "offline")),
)

# Every location, in a fixed order.
LOCATIONS: tuple[str, ...] = tuple(
    sorted({row[2] for row in _CLOUD} | {f"{row[2]} Area" for row in (*_SITES, *_CLUSTERS)})
)

# Ids of the built-in agents: small ones for the cloud, as in the vendor's samples.
_FIRST_CLOUD, _FIRST_SITE, _FIRST_CLUSTER, _FIRST_MEMBER = 3, 1001, 2001, 5001
# Generated agents (a world larger than the built-in one) go on from here.
_FIRST_EXTRA_CLOUD, _FIRST_EXTRA_SITE = 100_000, 200_000


def fleet(settings: Settings) -> tuple[SimAgent, ...]:
    """The agents of this world, in the order in which the API lists them."""
    agents = (
        *(_cloud(index, settings) for index in range(settings.cloud_agents)),
        *(_site(index, settings) for index in range(settings.enterprise_agents)),
        *(_cluster(index, settings) for index in range(settings.clusters)),
    )
    wanted = settings.countries
    return tuple(agent for agent in agents if not wanted or agent.country in wanted)


def _address(agent_id: int) -> str:
    # 198.18.0.0/15 is set aside for tests of network devices (RFC 2544): nobody's real address.
    return f"198.18.{agent_id // 250 % 256}.{agent_id % 250 + 1}"


def _cloud(index: int, settings: Settings) -> SimAgent:
    name, country, location, latitude, longitude, region = _CLOUD[index % len(_CLOUD)]
    again = index // len(_CLOUD)
    agent_id = _FIRST_CLOUD + index if not again else _FIRST_EXTRA_CLOUD + index
    return SimAgent(
        id=agent_id,
        name=f"{name} ({again + 1})" if again else name,
        type="cloud",
        country=country,
        location=location,
        latitude=latitude,
        longitude=longitude,
        address=_address(agent_id),
        network=_cloud_network(name, index, settings),
        tags=(("region", region),),
        target_only=agent_id in settings.target_only,
    )


def _cloud_network(name: str, index: int, settings: Settings) -> str:
    """Where paths are shared, a network is its number; otherwise hardly two cloud agents have the same."""
    which = number(0, "transit", name) % 9 + 1
    return f"Example Transit {which} (AS {64500 + (which if settings.shared else index % 10)})"


def _site(index: int, settings: Settings) -> SimAgent:
    name, country, city, latitude, longitude, region, site, state = _SITES[index % len(_SITES)]
    again = index // len(_SITES)
    if again:
        name, state = f"branch-{index + 1:03d}-{city.lower().replace(' ', '-')}", "online"
    agent_id = _FIRST_SITE + index if not again else _FIRST_EXTRA_SITE + index
    return SimAgent(
        id=agent_id,
        name=name,
        type="enterprise",
        country=country,
        location=f"{city} Area",
        latitude=latitude,
        longitude=longitude,
        address=_address(agent_id),
        network=f"Example Access {index % 4 + 1} (AS {64496 + index % 4})",
        state="online" if settings.all_online else state,
        tags=(("region", region), ("site", site)),
        target_only=agent_id in settings.target_only,
    )


def _cluster(index: int, settings: Settings) -> SimAgent:
    name, country, city, latitude, longitude, region, states = _CLUSTERS[index % len(_CLUSTERS)]
    again = index // len(_CLUSTERS)
    agent_id = _FIRST_CLUSTER + index
    members = tuple(
        Member(
            id=_FIRST_MEMBER + index * 10 + position,
            name=f"{name}-{position + 1}",
            state="online" if settings.all_online else state,
        )
        for position, state in enumerate(states)
    )
    return SimAgent(
        id=agent_id,
        name=f"{name}-{again + 1}" if again else name,
        type="enterprise-cluster",
        country=country,
        location=f"{city} Area",
        latitude=latitude,
        longitude=longitude,
        address=_address(agent_id),
        network="Example Data Centres (AS 64511)",
        members=members,
        tags=(("region", region), ("site", "datacenter")),
    )
