"""The door to the Model Context Protocol: calls become arguments, answers become results. Nobody else
knows the SDK."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, cast

import anyio
import structlog
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as Offered

from orchestrator.assistant.arguments import read
from orchestrator.assistant.bounded import as_json, bounded, harmless
from orchestrator.assistant.desk import Answer, Desk
from orchestrator.assistant.going import Progress
from orchestrator.assistant.lines import Lines
from orchestrator.assistant.tools import DATA, TOOLS, Tool, instructions, offered
from orchestrator.defects import defect
from orchestrator.errors import OrchestratorError, UsageProblem
from orchestrator.near import near

if TYPE_CHECKING:
    Context = ServerRequestContext[dict[str, object]]

_log = structlog.get_logger("orchestrator.assistant")
_MORE = "ask for less at once: a smaller `limit`, filters, or `results` and `explain` for a part"


def server_of(desk: Desk, mask: Callable[[str], str]) -> Server[dict[str, object]]:
    """A server whose tools are done at an open desk; ``mask`` takes secrets out of what it says."""
    creations = desk.allowance is not None

    async def list_tools(_context: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[_offered(tool) for tool in offered(creations=creations)])

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        try:
            tool = _tool(params.name, creations=creations)
            asked = read(tool.takes, params.arguments)
            answer = await desk.call(asked, partial(_tell, context))
        except OrchestratorError as problem:
            return _failed(problem, mask)
        except Exception as error:
            # What a stranger could make of it stays here.
            _log.error("defect", tool=params.name[:80], **defect(error))
            return _said(
                "a defect of orchestrator; its log says more, and what was collected is kept", error=True
            )
        return _answered(answer, mask)

    return Server(
        "orchestrator",
        version=version("orchestrator"),
        title="ThousandEyes instant tests",
        instructions=instructions(creations=creations),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def serve(desk: Desk, mask: Callable[[str], str], ended: anyio.Event, number: int = 0) -> None:
    """Serve on standard input and output until the client goes away or ``ended`` is set; then close the desk.

    Meanwhile whatever else writes to standard output goes to standard error: that belongs to the protocol.
    """
    async with desk.open(), anyio.create_task_group() as tasks:

        async def wait() -> None:
            await ended.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(wait)
        lines = cast("anyio.AsyncFile[str]", Lines(number))  # all that is asked of it is its lines
        async with stdio_server(stdin=lines) as (incoming, outgoing):
            server = server_of(desk, mask)
            await server.run(incoming, outgoing, server.create_initialization_options())
        tasks.cancel_scope.cancel()


def _offered(tool: Tool) -> Offered:
    writes = tool.creates or tool.changes
    return Offered(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=not writes,
            destructive_hint=False,
            idempotent_hint=not tool.creates,
            open_world_hint=tool.open_world,
        ),
    )


def _tool(name: str, *, creations: bool) -> Tool:
    known = {tool.name: tool for tool in offered(creations=creations)}
    if name in known:
        return known[name]
    if name in TOOLS:
        raise UsageProblem(
            f"the tool {name} is not offered: this server only reads",
            hint="a person has to start it with --allow-creations",
        )
    meant = near(name, known)
    raise UsageProblem(
        f"there is no tool {name[:80]!r}",
        hint=f"is it {meant}?" if meant else f"there are {', '.join(known)}",
    )


async def _tell(context: Context, progress: Progress) -> None:
    await context.session.report_progress(progress.done, progress.total, progress.words)


def _answered(answer: Answer, mask: Callable[[str], str]) -> CallToolResult:
    whole = {"document": answer.document, "text": answer.text}
    made, cuts = bounded(harmless(whole, mask))
    parts = made if isinstance(made, dict) else {"document": {}, "text": None}
    left_out = [str(cut) for cut in cuts]
    content: dict[str, object] = {
        "about": DATA,
        **parts,
        "left_out": [*left_out, _MORE] if left_out else [],
        "next": answer.next,
    }
    return CallToolResult(
        content=[TextContent(type="text", text=as_json(content))], structured_content=content
    )


def _failed(problem: OrchestratorError, mask: Callable[[str], str]) -> CallToolResult:
    lines = [f"error: {problem.message}"]
    if problem.hint:
        lines.append(f"hint: {problem.hint}")
    lines.append(f"exit code: {int(problem.exit_code)}")
    text, _ = bounded(harmless("\n".join(lines), mask))
    return _said(str(text), error=True)


def _said(text: str, *, error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=error)
