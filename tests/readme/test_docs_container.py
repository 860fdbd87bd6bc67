"""The promise of the container recipe, without an engine: the command as an unprivileged user, without any
capability, on a root that cannot be written."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documentation import ROOT, blocks

UID = 10001
# In a namespace of its own: what the user may not even look into is laid open (what lies in a place is bound,
# not the place itself, which may be its owner's alone), then everything is read-only but the store's folder.
SCRIPT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
for place in {places}; do
    mkdir -p "/mnt$place"
    for child in $(ls -A "$place"); do
        if [ -d "$place/$child" ]; then mkdir -p "/mnt$place/$child"; else touch "/mnt$place/$child"; fi
        mount --bind "$place/$child" "/mnt$place/$child"
    done
done
mkdir -p /mnt/store && mount --bind {store} /mnt/store
for top in {tops}; do mount --rbind "/mnt$top" "$top"; done
for there in $(cut -d' ' -f2 /proc/self/mounts); do
    case "$there" in /mnt/store|/dev/*|/proc*|/sys*) continue ;; esac
    mount -o remount,bind,ro "$there" 2>/dev/null || true
done
cd /
exec setpriv --reuid {uid} --regid {uid} --clear-groups --no-new-privs --bounding-set -all --inh-caps -all \
    env -i PATH=/usr/bin:/bin HOME=/nonexistent PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={root} \
    ORCHESTRATOR_STORE=/mnt/store/orchestrator.db {command}
"""
_ABLE = os.geteuid() == 0 and shutil.which("unshare") and shutil.which("setpriv")


def _contained(store: Path, *command: str) -> subprocess.CompletedProcess[str]:
    places = {Path(sys.prefix), Path(sys.base_prefix), ROOT, *map(Path, sys.path[1:])}
    places = {one.resolve() for one in places if one.is_dir()} - {Path("/")}
    own = [one for one in places if not one.is_relative_to("/usr")]
    own = [one for one in own if not any(one.is_relative_to(other) for other in own if other != one)]
    tops = {f"/{one.parts[1]}" for one in own}
    script = SCRIPT.format(
        places=" ".join(shlex.quote(str(one)) for one in sorted(own)),
        tops=" ".join(sorted(tops)),
        store=shlex.quote(str(store)),
        root=shlex.quote(str(ROOT)),
        uid=UID,
        command=shlex.join(command),
    )
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False, timeout=240
    )


@pytest.mark.skipif(not _ABLE, reason="namespaces are for root, with unshare and setpriv of util-linux")
def test_the_command_runs_unprivileged_on_a_root_that_cannot_be_written(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    os.chown(store, UID, UID)
    looked = _contained(store, "sh", "-c", "id -u; touch /x /tmp/x /mnt/x; touch /mnt/store/y && echo stored")
    assert looked.stdout.split() == [str(UID), "stored"], looked
    assert looked.stderr.count("Read-only file system") == 3, looked
    plan = str(ROOT / "plans" / "incident-runbook.yaml")
    ran = _contained(store, sys.executable, "-m", "orchestrator", "run", plan, "--simulate", "--quiet")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", ""), ran
    shown = _contained(store, sys.executable, "-m", "orchestrator", "runs", "--json")
    assert '"complete"' in shown.stdout, shown


def test_the_images_give_away_every_privilege() -> None:
    (dockerfile,) = blocks(ROOT / "docs" / "recipes" / "container.md", "dockerfile")
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    assert f"USER {UID}:{UID}" in dockerfile.text
    assert f"USER {UID}:{UID}" in text
    assert text.count("<<: *hardened") == text.count("image: orchestrator:local")
