"""What is asked before a run: agents and labels. Nothing is created until they were understood."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_cases import BROKEN_BODIES, LIMITED, LOST_AFTER, LOST_BEFORE, PLAN
from simulated_run import Ran, Simulated, check_promises, in_process, virtual_run
from virtual_time import run_virtual

from orchestrator.errors import Exit, OrchestratorError
from orchestrator.runner.ask import TRIES
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World

BY_LABEL = PLAN.replace('agents: ["3", "4", "5"]', "agents: {label: 'region:emea', sample: {count: 3}}")


def failing(fault: Fault, store: Path, plan: str = PLAN) -> tuple[OrchestratorError, Simulated]:
    """The error that a run ends with before it began."""

    async def work() -> tuple[OrchestratorError, Simulated]:
        async with in_process(World(faults=(fault,)), store=store) as simulated:
            with pytest.raises(OrchestratorError) as caught:
                await simulated.run(plan)
            return caught.value, simulated

    return run_virtual(work)


@pytest.mark.parametrize("nth", [1, 2], ids=["the agents", "their labels"])
@pytest.mark.parametrize("kind", ["503", "silent-after", *BROKEN_BODIES])
def test_a_listing_that_fails_once_is_asked_again(kind: str, nth: int, tmp_path: Path) -> None:
    world = World(faults=(Fault(kind, "agents", nth=nth),))
    ran: Ran = virtual_run(BY_LABEL, world, store=tmp_path / "s.db")
    check_promises(ran)
    assert (ran.code, ran.states()) == (0, {"complete": 3})


@pytest.mark.parametrize("kind", [*LOST_BEFORE, *LOST_AFTER, *BROKEN_BODIES])
def test_a_listing_that_always_fails_ends_the_run_before_anything_is_created(
    kind: str, tmp_path: Path
) -> None:
    error, simulated = failing(Fault(kind, "agents"), tmp_path / "s.db")
    assert error.exit_code == Exit.INCOMPLETE
    assert error.hint, "what to do next is not said"
    # Fewer where each try takes a whole time-out.
    assert 2 < len(simulated.transport.requests) <= TRIES
    assert simulated.service.witness()["creations"] == []


@pytest.mark.parametrize("kind", LIMITED)
def test_a_listing_that_meets_the_limit_for_ever_gives_up(kind: str, tmp_path: Path) -> None:
    error, simulated = failing(Fault(kind, "agents"), tmp_path / "s.db")
    assert error.exit_code == Exit.INCOMPLETE
    assert "429" in str(error) or "used up by others" in str(error)
    assert simulated.service.witness()["creations"] == []


@pytest.mark.parametrize(("kind", "said"), [("401", "refused the token"), ("403", "refused /v7/agents")])
def test_a_listing_that_is_refused_ends_the_run_at_once(kind: str, said: str, tmp_path: Path) -> None:
    error, simulated = failing(Fault(kind, "agents"), tmp_path / "s.db")
    assert error.exit_code == Exit.REFUSED
    assert said in str(error)
    assert error.hint
    assert len(simulated.transport.requests) == 1, "a refusal is not asked for twice"


@pytest.mark.parametrize("kind", ["404", "redirect", "redirect-same"])
def test_a_listing_that_is_not_there_is_not_asked_for_again(kind: str, tmp_path: Path) -> None:
    error, simulated = failing(Fault(kind, "agents"), tmp_path / "s.db")
    assert error.exit_code == Exit.INCOMPLETE
    assert "status" in str(error)
    assert len(simulated.transport.requests) == 1


def test_an_agent_that_is_listed_twice_is_one_agent(tmp_path: Path) -> None:
    world = World(faults=(Fault("duplicate-rows", "agents"),))
    ran: Ran = virtual_run(PLAN, world, store=tmp_path / "s.db")
    check_promises(ran)
    assert (ran.code, ran.states()) == (0, {"complete": 3})
    assert len({cell.agent_id for cell in ran.cells}) == 3
