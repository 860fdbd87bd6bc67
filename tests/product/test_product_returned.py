"""What a command brings out of its event loop."""

from __future__ import annotations

from orchestrator.cli.bodies.common import run_async


class Large:
    """What would take long to spell out; it counts how often that happens."""

    spelled = 0

    def __repr__(self) -> str:
        Large.spelled += 1
        return "large"


def test_the_result_of_a_command_is_handed_on_and_never_spelled_out() -> None:
    """asyncio spells out what its main task returned, twice, where it handles SIGINT itself."""
    made = Large()

    async def work() -> Large:
        return made

    found = run_async(work)
    assert found is made
    assert Large.spelled == 0
