"""What a report says of the time before its run: by itself, and held against a base that is named."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from command_line import InProcess
from compare_store import Fate, History

from orchestrator.actions.asked import Asked
from orchestrator.actions.reading import report
from orchestrator.actions.since import MIDDLE, SMALL
from orchestrator.insight.values import CellKey
from orchestrator.model import Verdict
from orchestrator.report.html.before import squares
from orchestrator.report.html.change import in_short, moved
from orchestrator.report.since import Age, Earlier, age
from orchestrator.store.opening import open_store


def fate(**targets: tuple[Verdict, float]) -> Fate:
    """What becomes of targets; the others are as always."""
    return lambda target, _agent: targets.get(target, (Verdict.PASS, 1.0))


DEAD = fate(mail=(Verdict.FAIL, 1.0))
SLOW = fate(wiki=(Verdict.PASS, 3.0))


@pytest.fixture
def said(tmp_path: Path) -> InProcess:
    return InProcess(tmp_path, "https://api.thousandeyes.com", {})


@pytest.fixture
async def history(said: InProcess) -> AsyncIterator[History]:
    """Three good runs."""
    said.store.parent.mkdir()
    async with open_store(str(said.store)) as opened:
        made = History(opened.store)
        for _ in range(3):
            await made.add()
        yield made


async def told(said: InProcess, *words: str) -> str:
    """What a command prints."""
    ended = await said(*words)
    assert ended.code == 0, str(ended)
    return ended.out.decode()


async def html(said: InProcess, *words: str) -> str:
    """A report as a page."""
    return await told(said, "report", "--format", "html", *words)


async def test_a_run_as_those_before_it_is_said_to_be_no_worse(said: InProcess, history: History) -> None:
    await history.add()
    headline = "All 16 cells pass; nothing is worse than in the last 3 runs"
    for text in (await told(said, "show"), await told(said, "report"), await html(said)):
        assert headline in text
    assert "The last 3 runs of this plan before it were good." in await html(said)


async def test_a_process_reports_the_same(said: InProcess, history: History) -> None:
    await history.add(DEAD)
    ended = await said.as_process()("report")
    assert ended.out.decode() == await told(said, "report")


async def test_what_passes_and_got_slower_stands_in_the_headline(said: InProcess, history: History) -> None:
    await history.add(SLOW)
    shown = await told(said, "show")
    assert "Everything passes; wiki is slower than usual" in shown
    assert "wiki is slower than in the last 3 runs: 4 of 4 agents" in shown
    assert "**▲ Everything passes; `wiki` is slower than usual**" in await told(said, "report")
    page = await html(said)
    assert re.search(r'<span class="st w" role="img"', page)
    assert page.count('<li class="cause w">') == 1


async def test_what_fails_now_is_new_then_still_there_then_over(said: InProcess, history: History) -> None:
    await history.add(DEAD)
    first = await told(said, "report")
    assert "4 of 4** (connect, clear; new)" in first
    assert "Since the run before, a good one" in first
    assert "4 bad cells new, 0 still bad, 0 recovered" in first
    await history.add(DEAD)
    second = await told(said, "report")
    assert "(connect, clear; still, as in 1 run before since 2023-11-15" in second
    assert "0 bad cells new, 4 still bad, 0 recovered; the last good run was 2023-11-15" in second
    assert "the last 6 runs of the plan, this one last: ✓ ✓ ✓ ✕ ✕" not in second, "there are five"
    assert "the last 5 runs of the plan, this one last: ✓ ✓ ✓ ✕ ✕" in second
    await history.add()
    assert "0 bad cells new, 0 still bad, 4 recovered (mail)" in await told(said, "show")


async def test_the_page_has_the_change_of_each_cell_and_target(said: InProcess, history: History) -> None:
    await history.add(SLOW)
    page = await html(said)
    assert 'id="mv-c"' in page
    marks = re.findall(r"<td class=u[012]>\N{UPWARDS ARROW}\d+", page)
    assert len(marks) == 4
    [row] = re.findall(r"</span> wiki<td><svg class=sq.*", page)
    assert 'aria-label="4 times passes"' in row
    assert re.search(r"<td class=up>\N{UPWARDS ARROW}\d+ %", row)
    assert "class=was" in row


async def test_a_first_run_has_nothing_before_it_and_says_nothing_of_it(said: InProcess) -> None:
    said.store.parent.mkdir()
    async with open_store(str(said.store)) as opened:
        await History(opened.store).add()
    assert "Since" not in await told(said, "report")
    page = await html(said)
    assert not re.search(r"Since|Runs of this plan|id=.mv-c|<svg class=sq", page)


async def test_a_report_against_a_base_tells_what_its_gate_says_and_ends_well(
    said: InProcess, history: History
) -> None:
    await said("baseline", "set", "pre-chg", history.ids[0])
    await history.add(DEAD)
    text = await told(said, "report", "--against", "pre-chg")
    assert f"## Since `pre-chg`, run {history.ids[0]} of" in text
    assert "- gate normal: exit 1: 4 cells passed and now fail, together" in text
    page = await html(said, "--against", "pre-chg")
    assert re.search(r'<h2 id="h-gate">Against <b>pre-chg</b>: gate normal: exit 1</h2>', page)
    assert "gate normal, exit 1" in await told(said, "show", "--against", "pre-chg")
    by_itself = await html(said)
    assert "h-gate" not in by_itself
    assert "gate" not in await told(said, "show")


async def test_the_documents_have_the_gate_if_a_base_was_named(said: InProcess, history: History) -> None:
    await history.add(DEAD)
    for words in (("show", "--json"), ("report", "--format", "json")):
        assert "gate" not in json.loads(await told(said, *words))
        gate = json.loads(await told(said, *words, "--against", "last-good"))["gate"]
        assert (gate["exit_code"], gate["base"]["run"]) == (1, history.ids[2])


async def test_junit_against_a_base_has_the_gate_and_fails_what_got_worse(
    said: InProcess, history: History
) -> None:
    await history.add(SLOW)
    alone = ET.fromstring(await told(said, "report", "--format", "junit"))  # noqa: S314 - ours
    assert not alone.findall(".//failure")
    against = ET.fromstring(  # noqa: S314 - ours
        await told(said, "report", "--format", "junit", "--against", "last-good")
    )
    properties = {one.get("name"): one.get("value") for one in against.iter("property")}
    assert (properties["gate.level"], properties["gate.exit_code"]) == ("normal", "1")
    assert properties["gate.reason.1"] == "1 group of cells got worse as a whole"
    failures = against.findall(".//failure")
    assert {one.get("type") for one in failures} == {"worse"}
    assert against.get("failures") == str(len(failures)) == "4"
    loose = await told(said, "report", "--format", "junit", "--against", "last-good", "--gate", "off")
    assert "<failure" not in loose


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("report", "--against", "nosuch"), "no run and no baseline 'nosuch'"),
        (("show", "--against", "nosuch"), "no run and no baseline 'nosuch'"),
        (("report", "--history", "3"), "--history needs --against BASE"),
        (("show", "--gate", "strict"), "--gate needs --against BASE"),
        (("report", "--against", "last-good", "--tolerance", "x=1"), "no metric is compared by the name"),
    ],
)
async def test_nonsense_ends_with_2_and_says_what_is_wrong(
    said: InProcess, history: History, words: tuple[str, ...], told: str
) -> None:
    del history
    ended = await said(*words)
    assert ended.code == 2, str(ended)
    assert told in ended.err.decode()


async def test_a_run_with_nothing_in_common_with_its_base_is_not_reported_against_it(
    said: InProcess, history: History
) -> None:
    history.targets = ("elsewhere",)
    await history.add()
    ended = await said("report", "--against", history.ids[0])
    assert ended.code == 2, str(ended)
    assert b"have no cell in common" in ended.err
    assert "All 4 cells pass" in await told(said, "report"), "by itself it says what it can"


@pytest.mark.parametrize(("small", "middle", "words"), [(0, 99, "last good run"), (0, 0, "")])
async def test_of_a_large_run_less_is_read_by_itself_and_all_when_asked(
    said: InProcess, history: History, monkeypatch: pytest.MonkeyPatch, small: int, middle: int, words: str
) -> None:
    await history.add()
    monkeypatch.setattr("orchestrator.actions.since.SMALL", small)
    monkeypatch.setattr("orchestrator.actions.since.MIDDLE", middle)
    assert SMALL < MIDDLE
    async with open_store(str(said.store)) as opened:
        page = (await report(opened, "last", "html", now=2e9)).decode()
        assert ("nothing is worse than in the last good run" in page) is bool(words)
        assert ("by itself a report compares no more than" in page) is not bool(words)
        assert 'id="mv-c"' in page, "what its times were is cheap"
        none = (await report(opened, "last", "html", now=2e9, asked=Asked(most=0))).decode()
        assert 'id="mv-c"' not in none
        whole = await report(opened, "last", "html", now=2e9, asked=Asked("last-good"))
        assert "nothing is worse than in the last 3 runs" in whole.decode()


async def test_a_comparison_as_a_page_has_no_script_and_says_what_and_why(
    said: InProcess, history: History
) -> None:
    def both(target: str, agent: str) -> tuple[Verdict, float]:
        if target == "mail":
            return Verdict.FAIL, 1.0
        return (Verdict.NO_ANSWER if (target, agent) == ("crm", "4") else Verdict.PASS), 1.0 + 2 * (
            target == "wiki"
        )

    await history.add(both)
    ended = await said("diff", "--format", "html")
    assert ended.code == 1, str(ended)
    page = ended.out.decode()
    assert "default-src 'none'" in page
    assert "<script" not in page
    for words in (
        "4 cells of 15 that passed before fail now",
        "<b>mail</b> fails from every agent",
        "<b>wiki</b> is slower than in the last 3 runs",
        "gate normal: exit 1",
        "4 cells passed and now fail, together",
        "Smaller changes of a whole group would not have been seen",
    ):
        assert words in page
    assert page.count("<td class=f>") == 8, "four in each view"
    assert page.count("<td class=n>") == 2
    some = (await said("diff", "--format", "html", "--target", "wiki")).out.decode()
    assert re.findall(r"</span> (\w+)<td>agent", some) == ["wiki"] * 4


def test_small_changes_are_no_changes() -> None:
    assert moved(100.0, 119.0) is None, "within 20 ms"
    assert moved(1000.0, 1149.0) is None, "within 15 %"
    assert moved(1000.0, 1150.0) == pytest.approx(0.15)
    assert moved(1000.0, 500.0) == pytest.approx(-0.5)
    assert moved(0.0, 500.0) is None
    assert [in_short(one) for one in (0.5, -0.4, 9.0, 12.0)] == ["↑50", "↓40", "↑900", "↑13x"]


def test_what_most_cells_were_in_a_row_of_runs_is_so_since_the_first_of_them() -> None:
    keys = [CellKey("web", "crm", str(n)) for n in range(4)]

    def run(number: int, *verdicts: Verdict | None) -> Earlier:
        cells = {key: verdict for key, verdict in zip(keys, verdicts, strict=False) if verdict is not None}
        return Earlier(str(number), float(number), {}, cells)

    fail, silent = Verdict.FAIL, Verdict.NO_ANSWER
    trail = [run(1, fail, fail, fail, fail), run(2), run(3, fail, fail), run(4, fail, fail, fail, silent)]
    assert age(keys, fail, trail) == Age(2, 3.0)
    assert age(keys, silent, trail) == Age(0)
    assert age(keys, fail, []) is None
    assert age(keys, fail, [Earlier("5", 5.0, {})]) is None, "its cells were not read"
    assert squares([Earlier("5", 5.0, {})], ("web", "crm"), []) is None
