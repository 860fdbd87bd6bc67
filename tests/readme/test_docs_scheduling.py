"""docs/scheduling.md and docker-compose.yml: units, timers and containers that a host would accept."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from documentation import ROOT, blocks, parse_command
from ruamel.yaml import YAML
from workplace import BIN

from orchestrator.cli.options import grace_option
from orchestrator.errors import Exit

SCHEDULING = ROOT / "docs" / "scheduling.md"
TEXT = SCHEDULING.read_text("utf-8")


def units() -> dict[str, str]:
    """The units by file name, as their first line says it."""
    found = {}
    for block in blocks(SCHEDULING, "systemd"):
        place = re.match(r"# /etc/systemd/system/(\S+)\n", block.text)
        assert place is not None, str(block)
        found[place.group(1)] = block.text
    return found


def settings(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # systemd's names have capitals
    parser.read_string(units()[name])
    return parser


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded = YAML(typ="safe", pure=True).load((ROOT / "docker-compose.yml").read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not here")
    for name, text in units().items():
        # verify wants programs that exist.
        (tmp_path / name).write_text(
            text.replace("/opt/orchestrator/bin/orchestrator", str(BIN / "orchestrator"))
        )
    done = subprocess.run(
        [verify, "verify", *(str(tmp_path / name) for name in units())],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "orchestrator-" in line]
    assert done.returncode == 0, done.stderr
    assert not said, "\n".join(said)


def test_every_timer_has_its_service() -> None:
    names = units()
    assert {name for name in names if name.endswith(".timer")}
    missing = [
        name for name in names if name.endswith(".timer") and name.replace(".timer", ".service") not in names
    ]
    assert not missing


@pytest.mark.parametrize("name", [name for name in units() if name.endswith(".service")])
def test_a_service_takes_the_token_as_a_credential_and_has_time_to_stop(name: str) -> None:
    service = settings(name)["Service"]
    assert service["Type"] == "oneshot"
    assert service["LoadCredential"].startswith("te-token:")
    assert service["DynamicUser"] == "yes"
    state = f"/var/lib/{service['StateDirectory']}/"
    assert service["Environment"].startswith(f"ORCHESTRATOR_STORE={state}")
    grace = grace_option(lambda: None).__click_params__[0].default  # type: ignore[attr-defined] # click's own mark
    assert int(service["TimeoutStopSec"]) >= grace + 15
    assert service["SuccessExitStatus"].split() == [str(int(Exit.BUSY)), str(int(Exit.SIGTERM))]


def test_services_that_share_limits_share_user_and_folder() -> None:
    services = [settings(name)["Service"] for name in units() if name.endswith(".service")]
    for key in ("User", "StateDirectory"):
        assert len({service[key] for service in services}) == 1, key


def test_monitors_are_told_about_every_exit_code() -> None:
    table = TEXT.split("## For monitors", 1)[1].split("##", 1)[0]
    told = {
        int(number)
        for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
        for number in row.split(",")
    }
    assert told == {int(code) for code in Exit}


def test_containers_are_healthy_before_others_depend_on_them(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services.keys() == {"simulator", "orchestrator", "db", "migrate", "worker"}
    for name, service in services.items():
        # What ends by itself is waited for as a whole; the database is somebody else's program.
        assert name == "migrate" or service["healthcheck"]["test"][0] == "CMD", name
        assert name == "db" or service["init"] is True, name
    assert services["orchestrator"]["depends_on"]["simulator"]["condition"] == "service_healthy"


def test_the_commands_of_the_containers_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        if "command" in service:
            parse_command([str(word) for word in service["command"]])
        check = service.get("healthcheck", {"test": ["CMD", ""]})["test"][1:]
        if check[0] == "orchestrator":
            parse_command(check[1:])


def test_a_container_has_time_to_collect_what_is_paid_for(compose: dict[str, Any]) -> None:
    grace = grace_option(lambda: None).__click_params__[0].default  # type: ignore[attr-defined] # click's own mark
    for name in ("orchestrator", "worker"):
        period = str(compose["services"][name]["stop_grace_period"])
        assert int(period.removesuffix("s")) >= grace + 15


def test_the_demonstration_starts_nothing_of_profile_ha_and_ha_waits_for_its_tables(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert {name for name, one in services.items() if "profiles" not in one} == {"simulator", "orchestrator"}
    assert all(one["profiles"] == ["ha"] for one in services.values() if "profiles" in one)
    assert services["migrate"]["depends_on"]["db"]["condition"] == "service_healthy"
    assert services["worker"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["worker"]["deploy"]["replicas"] >= 2
    assert services["worker"]["restart"] == "unless-stopped"
    # A tag of a release of Debian: collations of another one spoil indexes.
    assert re.fullmatch(r"postgres:\d+-[a-z]+", services["db"]["image"])


def test_secrets_and_volumes_of_the_containers_are_declared_and_read_by_their_user_only(
    compose: dict[str, Any],
) -> None:
    named = {str(volume).partition(":")[0] for one in _each(compose, "volumes") for volume in one}
    assert named == compose["volumes"].keys()
    secrets = [secret for one in _each(compose, "secrets") for secret in one]
    assert {one if isinstance(one, str) else one["source"] for one in secrets} == compose["secrets"].keys()
    # libpq takes no file of passwords that others may read.
    assert all(one["mode"] == "0400" for one in secrets if not isinstance(one, str))


def _each(compose: dict[str, Any], key: str) -> list[list[Any]]:
    return [service.get(key, []) for service in compose["services"].values()]


def test_the_demonstration_talks_to_the_port_that_is_served(compose: dict[str, Any]) -> None:
    services = compose["services"]
    words = services["simulator"]["command"]
    port = words[words.index("--port") + 1]
    assert services["orchestrator"]["environment"]["TE_BASE_URL"] == f"http://simulator:{port}"
    assert f":{port}/_simulator/health" in " ".join(services["simulator"]["healthcheck"]["test"])
    assert "--allow-http" in services["orchestrator"]["command"]


def test_the_image_copies_files_that_exist_and_all_that_the_build_needs(compose: dict[str, Any]) -> None:
    inline = compose["services"]["simulator"]["build"]["dockerfile_inline"]
    copied = [word for line in re.findall(r"^COPY (.*) \S+$", inline, re.MULTILINE) for word in line.split()]
    assert not [name for name in copied if not (ROOT / name).exists()]
    needed = {"pyproject.toml", "README.md", "LICENSE", "requirements.lock", "orchestrator", "plans"}
    assert needed <= set(copied)
    plans = [word for word in compose["services"]["orchestrator"]["command"] if word.startswith("plans/")]
    assert plans
    assert all((ROOT / plan).is_file() for plan in plans)


def test_the_store_survives_the_container_and_belongs_to_its_user(compose: dict[str, Any]) -> None:
    inline = compose["services"]["simulator"]["build"]["dockerfile_inline"]
    place = re.search(r"ORCHESTRATOR_STORE=(\S+)/[^/\s]+$", inline, re.MULTILINE)
    assert place is not None
    (mount,) = compose["services"]["orchestrator"]["volumes"]
    volume, folder = mount.split(":")
    assert folder == place.group(1)
    assert volume in compose["volumes"]
    assert f"install -d -o orchestrator {folder}" in inline
    user = re.search(r"useradd .*--uid (\d+) orchestrator\b", inline)
    assert user is not None
    assert inline.index(f"USER {user.group(1)}:") > inline.index("install -d")
