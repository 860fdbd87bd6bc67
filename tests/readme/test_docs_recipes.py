"""docs/recipes: what each place reads is well formed, its commands exist, and those that can run here do."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from documentation import ROOT, blocks, our_commands, parse_command
from ruamel.yaml import YAML
from stores import migrated
from workplace import Workplace

if TYPE_CHECKING:
    from postgres_server import PostgresServer

RECIPES = ROOT / "docs" / "recipes"
PAGES = sorted(RECIPES.glob("*.md"))
# Plans of a repository that is not ours.
_LIKE_OURS = {"/plans/branch-sweep.yaml", "/etc/orchestrator/sweep.yaml"}


def text(page: str, language: str) -> str:
    (block,) = blocks(RECIPES / f"{page}.md", language)
    return block.text


def document(page: str) -> Any:
    return YAML(typ="safe", pure=True).load(text(page, "yaml"))


def lines() -> Iterator[tuple[str, str]]:
    """Every line of any block that calls the command, with the page it stands on."""
    for page in PAGES:
        for block in blocks(page):
            joined = re.sub(r"\\\n\s*", " ", block.text)
            for line in joined.splitlines():
                found = re.search(r"(?:^|[\s'\"(:])(orchestrator [a-z-].*)$", line)
                if found and "docker" not in line and "pip install" not in line:
                    yield page.name, found[1].rstrip("'")


@pytest.mark.parametrize(("page", "line"), [*lines()])
def test_every_command_of_a_recipe_exists(page: str, line: str) -> None:
    line = re.sub(r"\$\(?\w+\)?|\$\{\w+\}", "x", line).replace("| grep -q", "; grep -q")
    commands = [words for words in our_commands(line) if words]
    assert commands, page
    for words in commands:
        parse_command(words)


def test_every_page_stands_in_the_list_and_is_led_to() -> None:
    listed = {*re.findall(r"\]\(([a-z-]+\.md)\)", (RECIPES / "README.md").read_text("utf-8"))}
    assert listed == {page.name for page in PAGES} - {"README.md"}


def test_the_cron_job_runs_unprivileged_on_a_root_that_cannot_be_written() -> None:
    job = document("kubernetes")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] >= 45
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    parse_command([one for one in container["args"] if one not in _LIKE_OURS] + ["plan.yaml"])


def test_the_images_user_is_the_pods_user() -> None:
    image = text("container", "dockerfile")
    pod = document("kubernetes")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert f"USER {pod['securityContext']['runAsUser']}:" in image
    compose = (ROOT / "docker-compose.yml").read_text("utf-8")
    copied = [line for line in image.splitlines() if line.startswith("COPY")]
    assert copied
    assert all(line in compose for line in copied), "the image of docker-compose.yml and this one agree"


def test_a_workflow_of_github_has_what_it_needs() -> None:
    workflow = document("github-actions")
    # YAML 1.2 leaves `on` a text.
    assert {*workflow} == {"name", "on", "permissions", "concurrency", "jobs"}
    steps = workflow["jobs"]["check"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    assert "TE_TOKEN" in next(step for step in steps if step.get("name") == "Run")["env"]


def test_the_steps_of_github_and_gitlab_come_to_their_files(workplace: Workplace) -> None:
    steps = document("github-actions")["jobs"]["check"]["steps"]
    run, summary = (step["run"] for step in steps if step.get("name") in {"Run", "Summary"})
    done = workplace.sh(f"export GITHUB_STEP_SUMMARY=summary.md\n{run}\n{summary}")
    assert done.returncode == 0, done.stderr
    for name in ("report.html", "junit.xml", "summary.md"):
        assert (workplace.folder / name).stat().st_size > 0, name
    (script,) = document("gitlab")["network"]["script"]
    parse_command(next(iter(our_commands(script))))
    assert document("gitlab")["network"]["artifacts"]["reports"]["junit"] in script


def test_what_jenkins_archives_is_what_it_writes(workplace: Workplace) -> None:
    pipeline = text("jenkins", "groovy")
    commands = re.findall(r"sh '([^']+)'", pipeline)
    done = workplace.sh("\n".join(commands).replace("quickstart", "incident-runbook"))
    assert done.returncode == 0, done.stderr
    archived = re.findall(r"artifacts: '([^']+)'", pipeline)[0].split(", ")
    for name in (*archived, *re.findall(r"junit '([^']+)'", pipeline)):
        assert (workplace.folder / name).stat().st_size > 0, name
    page = (workplace.folder / "report.html").read_text("utf-8")
    assert "<style" not in page, "a policy that forbids styles in a page has nothing to forbid"


def test_the_task_of_airflow_is_python_and_its_shell_goes_on_or_begins(workplace: Workplace) -> None:
    tree = ast.parse(text("airflow", "python"))
    (shell,) = (
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    )
    assert isinstance(shell, str)
    done = workplace.sh(shell.replace("branch-sweep", "incident-runbook"))
    assert done.returncode == 0, done.stderr
    assert "incident-runbook" in workplace.sh("orchestrator runs --limit 1 --json").stdout


def test_the_script_of_rundeck_ends_with_the_code_of_the_run(workplace: Workplace) -> None:
    (job,) = document("rundeck")
    (command,) = job["sequence"]["commands"]
    assert {"branch-sweep", "dns-health", "incident-runbook"} <= {
        path.stem for path in (ROOT / "plans").glob("*.yaml")
    }
    script = command["script"].replace("/var/lib/orchestrator/orchestrator.db", "rundeck.db")
    done = workplace.sh(f"export RD_OPTION_TOKEN=$TE_TOKEN RD_OPTION_PLAN=incident-runbook\n{script}")
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_play_of_ansible_stops_where_it_should() -> None:
    (play,) = document("ansible")
    after = next(task for task in play["tasks"] if task["name"] == "After")
    assert after["failed_when"] == "after.rc not in [0, 3]"
    assert all("changed_when" in task for task in play["tasks"] if "ansible.builtin.command" in task)
    assert Path(ROOT / "plans" / "change-window.yaml").exists()


def test_grafana_gets_sources_and_a_dashboard_that_there_is() -> None:
    sources, dashboards = (
        YAML(typ="safe", pure=True).load(block.text) for block in blocks(RECIPES / "grafana.md", "yaml")
    )
    assert [(one["type"], one["uid"]) for one in sources["datasources"]] == [
        ("prometheus", "prometheus"),
        ("postgres", "runs"),
    ]
    assert dashboards["providers"][0]["type"] == "file"
    assert json.loads((ROOT / "docs" / "deploy" / "dashboard.json").read_text("utf-8"))["panels"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here (Debian: prometheus)")
def test_prometheus_understands_what_grafana_is_to_ask(tmp_path: Path) -> None:
    queries = text("grafana", "promql").strip().splitlines()
    rules = [{"record": f"asked:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "rules.yml"
    YAML(typ="safe", pure=True).dump({"groups": [{"name": "grafana", "rules": rules}]}, file)
    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    known = (ROOT / "docs" / "ecosystem.md").read_text("utf-8")
    for name in re.findall(r"orchestrator_\w+", " ".join(queries)):
        assert name in known or name.removeprefix("orchestrator_run") in known, name


def test_the_database_understands_what_grafana_is_to_ask(postgres: PostgresServer) -> None:
    url = postgres.create(migrated, named="store")
    queries = text("grafana", "sql").strip().split(";")
    with psycopg.connect(url) as connection:
        for query in filter(str.strip, queries):
            # Grafana puts a comparison in the place of its macro.
            asked = re.sub(r"\$__timeFilter\((\w+(?:\(\w+\))?)\)", r"\1 > now() - interval '1 day'", query)
            assert "$" not in asked
            connection.execute(asked.encode())
    postgres.drop(url)
