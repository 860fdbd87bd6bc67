"""What is shipped: the public face, the lock file, a light start, a wheel that has everything in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from import_graph import PACKAGE, ROOT

import orchestrator
from orchestrator.cli import COMMANDS

# Written in two parts, so that this file does not find itself.
DEVELOPER_PATHS = re.compile(
    "|".join(f"/{name}/" for name in ("work", "tmp/contract", "home/[a-z]", "Users/[a-z]"))
)
HEAVY = ("aiohttp", "jinja2", "sqlite3", "structlog", "rich", "pydantic", "ruamel.yaml")
DATA = {".sql", ".json", ".typed", ".py", ".html", ".css"}
GENERATED = {".git", ".venv", "venv", "build", "dist", "__pycache__"}


def committed_files() -> list[Path]:
    """What git would commit; without git (an unpacked source archive) every file that is not generated."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        names = list(ROOT.rglob("*"))
    return [path for path in names if path.is_file() and not GENERATED & set(path.relative_to(ROOT).parts)]


def test_the_public_names_are_sorted_and_importable() -> None:
    names = orchestrator.__all__
    assert names == sorted(names)
    missing = [name for name in names if getattr(orchestrator, name, None) is None]
    assert not missing


def test_every_public_name_has_exactly_one_home() -> None:
    homes = [name for names in orchestrator._HOMES.values() for name in names]
    assert sorted(homes) == orchestrator.__all__


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = orchestrator.nonsense


def test_the_package_version_is_the_projects() -> None:
    from importlib.metadata import version  # noqa: PLC0415 - the only user

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert version("orchestrator") == project["version"]


def test_the_lock_file_names_versions_and_no_index_address_or_path() -> None:
    lines = [
        line.split("#")[0].strip() for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    ]
    pinned = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+-]+(\s*;[^/@]*)?")
    wrong = [line for line in lines if line and not pinned.fullmatch(line)]
    assert not wrong


def test_the_lock_file_holds_every_direct_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {_name(requirement) for group in groups for requirement in group}
    locked = {
        _name(line)
        for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    }
    assert wanted <= locked, f"not in requirements.lock: {sorted(wanted - locked)}"


def test_the_top_level_holds_what_was_agreed_and_nothing_else() -> None:
    there = {path.relative_to(ROOT).parts[0] for path in committed_files()}
    agreed = {"orchestrator", "plans", "tests", "docs", "pyproject.toml", "README.md", "docker-compose.yml"}
    agreed |= {"LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "requirements.lock"}
    assert {name for name in there if not name.startswith(".")} == agreed


def test_no_file_names_a_path_of_a_developers_machine() -> None:
    found = []
    for path in committed_files():
        text = path.read_bytes().decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            if DEVELOPER_PATHS.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["schema"], ["completion", "bash"], ["run", "--help"]]
)
def test_start_up_stays_light(words: list[str]) -> None:
    loaded = _modules_after(words)
    heavy = [name for name in HEAVY if name in loaded]
    assert not heavy, f"`orchestrator {' '.join(words)}` loads {', '.join(heavy)}"


def test_help_loads_click_and_a_handful_of_our_own_modules() -> None:
    """So its start-up does not depend on what is installed; the rest is of the standard library."""
    loaded = _modules_after(["--help"]) - _loaded_by("import contextlib, io")
    ours = {name.removeprefix("orchestrator.") for name in loaded if name.startswith("orchestrator.")}
    assert ours == {
        *("cli", "cli.configured", "cli.masking", "cli.streams"),
        *("errors", "near", "safe", "settings"),
    }
    others = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    assert others == {"orchestrator", "click"}
    slow = ("asyncio", "email", "importlib.metadata", "socket", "ssl", "tomllib", "zipfile")
    assert not loaded & set(slow)


def _extras() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    told: dict[str, list[str]] = project["optional-dependencies"]
    return {extra: wanted for extra, wanted in told.items() if extra not in {"test", "lint"}}


def _closure(requirements: Iterable[str]) -> set[str]:
    """What these pull in, as far as it is installed here; markers of other systems and extras left out."""
    found: set[str] = set()
    waiting = [_name(one) for one in requirements]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            further = requires(name) or []
        except PackageNotFoundError:
            continue
        waiting += [_name(one) for one in further if "extra ==" not in one]
    return found


def test_no_help_loads_anything_of_an_extra_with_all_of_them_installed() -> None:
    """Each command's own page, in one process; what came is asked for the packages that extras bring."""
    words = [["--help"], *([name, "--help"] for name in COMMANDS)]
    loaded = _loaded_by(
        "import contextlib, io\n"
        "from orchestrator.cli import main\n"
        f"for words in {words!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main(words)"
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    brought = _closure(one for wanted in _extras().values() for one in wanted) - _closure(
        project["dependencies"]
    )
    homes = packages_distributions()
    foreign = {
        module
        for module in {name.partition(".")[0] for name in loaded}
        if {_name(one) for one in homes.get(module, [])} & brought
    }
    assert not foreign
    assert "mcp" in brought


def test_importing_the_package_loads_no_dependency() -> None:
    loaded = _loaded_by("import orchestrator")
    assert not [name for name in (*HEAVY, "anyio", "click", "asyncio") if name in loaded]


@pytest.mark.timeout(300)
def test_a_wheel_has_the_schema_the_migrations_the_templates_and_the_type_marker(tmp_path: Path) -> None:
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(tmp_path),
            str(ROOT),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    offline = ("No matching distribution", "Could not find a version", "Connection", "No module named pip")
    if built.returncode != 0 and any(sign in built.stderr for sign in offline):
        pytest.skip("building a wheel needs pip and a package index for hatchling")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("orchestrator-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    data = [path for path in PACKAGE.rglob("*") if path.suffix in DATA]
    wanted = {str(path.relative_to(ROOT)) for path in data}
    assert {"orchestrator/plan/plan.schema.json", "orchestrator/py.typed"} <= wanted
    assert any(name.startswith("orchestrator/store/sqlite/migrations/") for name in wanted)
    assert any(name.startswith("orchestrator/report/html/templates/") for name in wanted)
    assert wanted <= names, f"not in the wheel: {sorted(wanted - names)}"
    assert not [name for name in names if name.startswith(("tests/", "docs/", "plans/"))]
    with zipfile.ZipFile(wheel) as archive:
        (page,) = [name for name in names if name.endswith(".data/data/share/man/man1/orchestrator.1")]
        assert '.SS "orchestrator run"' in archive.read(page).decode()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        told = archive.read(metadata).decode().partition("\n\n")[0]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bare = {_name(one) for one in re.findall(r"^Requires-Dist: ([^;\n]+)$", told, re.MULTILINE)}
    assert bare == {_name(one) for one in project["dependencies"]}


def test_a_bare_install_needs_nothing_that_an_extra_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bare = {_name(one) for one in project["dependencies"]}
    extras = {_name(one) for some in project["optional-dependencies"].values() for one in some}
    assert not bare & extras
    wanted = [requires(name) for name in bare]
    mandatory = {_name(one) for some in wanted for one in some or () if "extra ==" not in one}
    assert not mandatory & extras


def test_a_source_archive_has_everything_that_is_at_the_top() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    included = {name.removeprefix("/") for name in build["targets"]["sdist"]["include"]}
    there = {path.relative_to(ROOT).parts[0] for path in committed_files()}
    assert {name for name in there if not name.startswith(".")} == included | {"pyproject.toml"}


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def _modules_after(words: list[str]) -> set[str]:
    return _loaded_by(
        "import contextlib, io\n"
        "from orchestrator.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    main({words!r})"
    )


def _loaded_by(code: str) -> set[str]:
    """The modules in a fresh interpreter after running ``code``."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))
