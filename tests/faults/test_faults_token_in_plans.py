"""A plan that holds the value of the token is refused before anything is sent."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from simulated_run import TOKEN, over_sockets

from orchestrator.credentials import Credentials, mask_of
from orchestrator.errors import UsageProblem
from orchestrator.simulator.settings import Settings as World

PLAN = """
version: 1
name: secrets
api: {api}
tests:
  - {{name: web, type: http-server, targets: [{target}], agents: ["3"], layers: [http-server]{more}}}
"""
BASIC = base64.b64encode(f"x:{TOKEN}".encode()).decode()
PLACES = {
    "in a target": {"target": f'"https://a.example/?k={TOKEN}"', "more": ""},
    "in a header": {"target": '"https://a.example"', "more": f', options: {{headers: ["X-Any: {TOKEN}"]}}'},
    "in a comment": {"target": '"https://a.example"', "more": f"}} # {{{TOKEN}"},
    "in a CSV file": {"target": '"https://a.example", {csv: hosts.csv}', "more": ""},
    "escaped": {"target": f'"https://a.example/?k={TOKEN.replace("-", "%2d")}"', "more": ""},
    "in base64": {
        "target": '"https://a.example"',
        "more": f', options: {{headers: ["Authorization: Basic {BASIC}"]}}',
    },
}


@pytest.mark.parametrize("api", ["v7", "v6"])
@pytest.mark.parametrize("place", PLACES)
async def test_a_plan_that_holds_the_token_is_refused(place: str, api: str, tmp_path: Path) -> None:
    (tmp_path / "hosts.csv").write_text(f"name,url,key\nb,https://b.example,{TOKEN}\n")
    async with over_sockets(World(), store=tmp_path / "store.db") as simulated:
        simulated.session = replace(simulated.session, mask=mask_of(Credentials(TOKEN)))
        with pytest.raises(UsageProblem, match="the plan holds the value of the API token") as caught:
            await simulated.run(PLAN.format(api=api, **PLACES[place]))
        assert TOKEN not in f"{caught.value.message} {caught.value.hint}"
        assert simulated.service.witness()["requests"] == {}
