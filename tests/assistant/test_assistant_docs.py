"""docs/assistant.md: its configurations are what clients read, and start what there is."""

from __future__ import annotations

import json
import tomllib

from documentation import ROOT, blocks, parse_command

from orchestrator.assistant.tools import TOOLS

PAGE = ROOT / "docs" / "assistant.md"


def test_the_configurations_of_clients_start_the_command() -> None:
    (asjson,) = blocks(PAGE, "json")
    (astoml,) = blocks(PAGE, "toml")
    for servers in (json.loads(asjson.text)["mcpServers"], tomllib.loads(astoml.text)["mcp_servers"]):
        server = servers["orchestrator"]
        assert server["command"].endswith("/orchestrator")
        parse_command(server["args"])


def test_the_page_tells_every_tool() -> None:
    table = PAGE.read_text("utf-8").partition("## The tools")[2].partition("\n\nAn answer")[0]
    assert {name for name in TOOLS if f"`{name}`" in table} == {*TOOLS}
