"""The URL of a database: no password in it, nothing beyond this host without proof of who answers."""

from __future__ import annotations

import pytest

from orchestrator.errors import UsageProblem
from orchestrator.store.opening import open_store, pick_store
from orchestrator.store.postgres.address import address

NEAR = (
    *("postgresql:///runs", "postgresql://localhost/runs", "postgres://me@127.0.0.1:5433/runs"),
    *(
        "postgresql://[::1]:5432/runs",
        "postgresql:///runs?host=/var/run/postgresql",
        "postgresql://%2Ftmp/runs",
    ),
    "postgresql://localhost,127.0.0.2/runs",
)
BEYOND = (
    *("postgresql://db/runs", "postgresql://me@10.0.0.1:5432/runs", "postgresql:///runs?host=db"),
    *(
        "postgresql://localhost,db2/runs",
        "postgresql:///runs?hostaddr=10.0.0.1",
        "postgresql://[2001:db8::1]/x",
    ),
)


@pytest.mark.parametrize("url", NEAR)
def test_a_database_on_this_host_is_reached_as_it_comes(url: str) -> None:
    assert pick_store(url, {}) == url
    assert address(url, {}).url.startswith("postgresql://")


@pytest.mark.parametrize("url", BEYOND)
@pytest.mark.parametrize("mode", ["", "disable", "prefer", "require", "verify-ca"])
def test_a_database_beyond_it_must_prove_who_it_is(url: str, mode: str) -> None:
    sign = "&" if "?" in url else "?"
    asked = f"{url}{sign}sslmode={mode}" if mode else url
    with pytest.raises(UsageProblem, match="does not prove") as caught:
        pick_store(asked, {})
    assert "sslmode=verify-full" in str(caught.value.hint)
    assert "--allow-plain-database" in str(caught.value.hint)
    assert pick_store(f"{url}{sign}sslmode=verify-full", {})
    assert address(url, {"PGSSLMODE": "verify-full"}).url
    allowed = address(f"{asked}{'&' if '?' in asked else '?'}allow_plain_database=1", {})
    assert "allow_plain" not in allowed.url, "libpq knows no such word"
    assert address(asked, {"ORCHESTRATOR_ALLOW_PLAIN_DATABASE": "1"}).url


def test_hosts_of_the_environment_count_too() -> None:
    with pytest.raises(UsageProblem, match="the database at db"):
        address("postgresql:///runs", {"PGHOST": "db"})
    assert address("postgresql:///runs", {"PGHOST": "/run/postgresql"}).url


@pytest.mark.parametrize(
    "url", ["postgresql://me:s3cret@localhost/runs", "postgresql://me@localhost/runs?password=s3cret"]
)
async def test_a_password_in_it_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageProblem, match="holds a password") as caught:
        pick_store(url, {})
    assert "PGPASSFILE" in str(caught.value.hint)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(UsageProblem):
        async with open_store(url):
            raise AssertionError("opened")


@pytest.mark.parametrize("url", ["postgresql://[bad/x", "postgresql://me:s3cret@[::1/x", "postgres://]/"])
def test_what_is_no_url_is_told_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageProblem, match="cannot be read as one") as caught:
        pick_store(url, {})
    assert "s3cret" not in str(caught.value)


def test_for_people_its_options_are_left_out() -> None:
    found = address("postgresql://me@localhost:5433/runs?sslcert=/home/me/x", {})
    assert found.place == "postgresql://me@localhost:5433/runs"
