"""What a URL of a database may say: where it is, how safely it is reached, and never a password."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from orchestrator.errors import UsageProblem
from orchestrator.settings import ALLOW_PLAIN as ALLOW_PLAIN_DATABASE

# In the URL or the environment: a database beyond this host may be reached without proof of who it is.
ALLOW_PLAIN = ALLOW_PLAIN_DATABASE.key
SAFE = "verify-full"


@dataclass(frozen=True, slots=True)
class Address:
    """A database. ``url`` is for libpq; ``place`` is for people."""

    url: str
    place: str


def address(url: str, environ: Mapping[str, str]) -> Address:
    """What the URL of a database means. Raises :class:`UsageProblem`; no password is ever in its message."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        raise UsageProblem(
            "the store's URL cannot be read as one", hint="postgresql://USER@HOST:PORT/DATABASE is wanted"
        ) from None  # what it says may hold a password
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    user, _, netloc = parts.netloc.rpartition("@")
    if ":" in user or "password" in query:
        raise UsageProblem(
            "the store's URL holds a password, and arguments are seen by every user of this host",
            hint="put it into a file that only you can read, and name that in PGPASSFILE (~/.pgpass)",
        )
    allowed = query.pop(ALLOW_PLAIN, "") or environ.get(ALLOW_PLAIN_DATABASE.variables[0], "")
    hosts = _hosts(netloc, query, environ)
    mode = query.get("sslmode") or environ.get("PGSSLMODE") or "prefer"
    beyond = [host for host in hosts if not _is_near(host)]
    if beyond and mode != SAFE and allowed.lower() not in {"1", "true", "yes"}:
        raise UsageProblem(
            f"the database at {beyond[0]}: sslmode={mode} does not prove that it is the one that answers",
            hint=f"add sslmode={SAFE} and sslrootcert=FILE to the URL, or give --allow-plain-database",
        )
    place = f"postgresql://{parts.netloc}{parts.path}"
    return Address(f"{place}?{urlencode(query)}" if query else place, place)


def _hosts(netloc: str, query: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """All hosts that libpq may try; none is the Unix socket of this one."""
    named = query.get("hostaddr") or query.get("host") or netloc or environ.get("PGHOSTADDR", "")
    named = named or environ.get("PGHOST", "")
    return [one for one in map(_without_port, unquote(named).split(",")) if one]


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.startswith(("/", "@")) or host.count(":") > 1 else host.partition(":")[0]


def _is_near(host: str) -> bool:
    """Whether it is this host: a Unix socket or a loopback address."""
    if host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
