"""Where names repeat, the id is shown; documents for programs have both anyway."""

from __future__ import annotations

import io
import re

import pytest
from builders import make_agent
from report_rows import Make
from told_runs import overview_of

from orchestrator.near import folded
from orchestrator.plan.selectors import Selector, select
from orchestrator.report.markdown import ticket
from orchestrator.report.names import agent_names, with_names
from orchestrator.report.results import Filter
from orchestrator.terminal.results import write_table

COMPOSED, DECOMPOSED = "Z\u00fcrich", "Zu\u0308rich"


def test_a_name_of_its_own_stands_alone() -> None:
    assert agent_names([make_agent("1", name="London"), make_agent("2", name="Paris")]) == {
        "1": "London",
        "2": "Paris",
    }


@pytest.mark.parametrize("other", ["London", "london", "LONDON"])
def test_names_that_a_person_cannot_tell_apart_have_their_ids(other: str) -> None:
    found = agent_names([make_agent("1", name="London"), make_agent("2", name=other)])
    assert found == {"1": "London (1)", "2": f"{other} (2)"}


def test_two_spellings_of_one_accent_are_one_name() -> None:
    found = agent_names([make_agent("1", name=COMPOSED), make_agent("2", name=DECOMPOSED)])
    assert found == {"1": f"{COMPOSED} (1)", "2": f"{DECOMPOSED} (2)"}
    assert folded(COMPOSED) == folded(DECOMPOSED)


def test_an_agent_without_a_name_goes_by_its_id() -> None:
    assert agent_names([make_agent("1", name=""), make_agent("2", name="")]) == {"1": "1", "2": "2"}


@pytest.mark.parametrize(
    ("pattern", "name"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), ("Z\u00dcR*", DECOMPOSED)]
)
def test_selectors_and_filters_compare_names_as_people_do(make: Make, pattern: str, name: str) -> None:
    agent = make_agent("1", name=name)
    assert select(Selector(names=(pattern,)), [agent]).agents == (agent,)
    row = make.row(target=name)
    assert Filter(targets=(pattern,)).keeps(row)


async def test_tables_and_tickets_tell_two_agents_of_one_name_apart(make: Make) -> None:
    names = {"1001": "branch (1001)", "1002": "branch (1002)"}
    cells = [
        make.cell(agent_id=agent_id, agent="branch", reasons=("slow",), verdict=make.cell().verdict)
        for agent_id in names
    ]
    failed = [make.left_out(agent_id=cell.agent_id, agent="branch") for cell in cells]
    named = [cell async for cell in with_names(make.stream(failed), names)]
    found = await overview_of(make.run(), cells=named)
    assert found.left_out[0].agents == ("branch (1001)", "branch (1002)")
    assert "`branch (1002)`" in ticket(found)
    out = io.StringIO()
    rows = [make.row(agent_id=agent_id, agent="branch") for agent_id in names]
    await write_table(lambda: make.stream(rows), out.write, names=names)
    assert [re.split(" {2,}", line)[2] for line in out.getvalue().splitlines()[1:]] == list(names.values())


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("London", "London "), ("London (1)", "London  (2)")),
        (("Lon don", "Lon  don"), ("Lon don (1)", "Lon  don (2)")),
        (("London", "london", "London (1)"), ("London (1)", "london (2)", "London (1) (3)")),
        (("London", "Paris (1)"), ("London", "Paris (1)")),
    ],
)
def test_no_two_agents_are_called_alike_however_their_names_are_made(
    names: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    agents = [make_agent(str(number), name=name) for number, name in enumerate(names, 1)]
    assert tuple(agent_names(agents).values()) == shown
