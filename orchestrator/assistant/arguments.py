"""What an assistant says when it calls a tool. Unknown names are refused: a misspelt ceiling is none."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from orchestrator.compare.gate import Strictness
from orchestrator.errors import UsageProblem
from orchestrator.model import Verdict
from orchestrator.near import near

# Rows of one page of results, and how many a page can have.
PAGE, LONGEST_PAGE = 50, 500
# Clients give a call up after a minute, if nobody told them otherwise (seconds).
WAIT, LONGEST_WAIT = 45.0, 3600.0
_LONGEST_PLAN = 200_000

A = TypeVar("A", bound="Arguments")

Name = Annotated[str, Field(min_length=1, max_length=300)]
Names = Annotated[list[Name], Field(max_length=50)]


class Arguments(BaseModel):
    """Of every tool: nothing is converted, and nothing is left over."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OfRun(Arguments):
    """Which run is meant."""

    run: Name = Field(default="last", description="The id of a run, the beginning of one, or 'last'.")
    plan: Name | None = Field(
        default=None, description="With 'last': the newest run of the plan of this name."
    )


class OfPlan(Arguments):
    """A plan: a file below the server's folder of plans, or its text."""

    plan_file: Name | None = Field(
        default=None, description="A plan in the server's folder of plans, named relative to it."
    )
    plan_text: Annotated[str, Field(max_length=_LONGEST_PLAN)] | None = Field(
        default=None,
        description="The text of a plan (YAML). It can read no files and no environment variables.",
    )
    variables: dict[str, str] = Field(
        default_factory=dict, max_length=50, description="Values for the plan's `vars`, by name."
    )

    @model_validator(mode="after")
    def _one_plan(self) -> Self:
        if (self.plan_file is None) == (self.plan_text is None):
            raise ValueError("give either plan_file or plan_text")
        return self


class Ceilings(Arguments):
    """What a call that creates may cost at most. None of it has a default."""

    max_units: float = Field(
        gt=0,
        le=1e6,
        allow_inf_nan=False,
        description="Ceiling on units (our estimate); nothing runs beyond it.",
    )
    max_creations: int = Field(gt=0, le=100_000, description="Ceiling on instant tests that are created.")
    deadline_seconds: float = Field(
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="Time box: what is known by then is the answer. A diagnosis takes 30 to 1800.",
    )
    wait_seconds: float = Field(
        default=WAIT,
        ge=0,
        le=LONGEST_WAIT,
        allow_inf_nan=False,
        description="How long this call waits for the end. After it the run goes on, and `show` tells of it.",
    )


class Runs(Arguments):
    """List runs."""

    plan: Name | None = Field(default=None, description="Only runs of the plan of this name.")
    limit: int = Field(default=20, ge=1, le=100, description="So many of the newest.")


class Show(OfRun):
    """Show a run."""


class Results(OfRun):
    """The answers of a run."""

    layers: Names = Field(default_factory=list, description="Only these layers, as 'network', 'http-server'.")
    verdicts: list[Literal["pass", "warn", "fail", "partial", "no-answer", "not-run"]] = Field(
        default_factory=list, max_length=len(Verdict), description="Only cells with these verdicts."
    )
    agents: Names = Field(default_factory=list, description="Only these agents: ids, or names with * and ?.")
    targets: Names = Field(default_factory=list, description="Only these targets, with * and ?.")
    limit: int = Field(default=PAGE, ge=1, le=LONGEST_PAGE, description="Rows of one page.")
    offset: int = Field(
        default=0, ge=0, le=100_000_000, description="Rows to leave out: `next` of the page before."
    )


class Explain(OfRun):
    """The story of a cell."""

    cell: Name = Field(
        description="A target's or test's name or a part of it, TARGET@AGENT, @AGENT, or the key of a spec."
    )


class Diff(OfRun):
    """A run held against another one."""

    base: Name = Field(
        default="last-good", description="'last-good', 'before', the name of a baseline, or the id of a run."
    )
    gate: Literal["strict", "normal", "loose", "off"] = Field(
        default=Strictness.NORMAL.value, description="How strict the judgement is."
    )


class Check(OfPlan):
    """What a plan would do."""


class Run(OfPlan, Ceilings):
    """Run a plan."""


class Diagnose(Ceilings):
    """Diagnose targets."""

    targets: Annotated[list[Name], Field(min_length=1, max_length=5)] = Field(
        description="URLs, host:port, names, 'NAME TYPE', addresses, agents."
    )
    whence: Names = Field(
        default_factory=list,
        description="From where: countries, types, names, as `diagnose --from` takes them.",
    )
    agents: int = Field(default=12, ge=1, le=50, description="How many agents are asked.")
    controls: Annotated[list[Name], Field(max_length=5)] = Field(
        default_factory=list, description="Targets that are known to work, for contrast."
    )


class Stop(Arguments):
    """Stop a run."""

    run: Name = Field(description="The id of a run that this server began.")


def read(kind: type[A], given: object) -> A:
    """The arguments of a call. Raises ``UsageProblem`` with everything that is wrong with them."""
    try:
        return kind.model_validate({} if given is None else given)
    except ValidationError as error:
        known = list(kind.model_fields)
        problems = [_told(str(one["type"]), one["loc"], one["msg"], known) for one in error.errors()]
        raise UsageProblem("; ".join(problems), hint="the tool's schema says what it takes") from error


def _told(kind: str, where: tuple[int | str, ...], message: str, known: list[str]) -> str:
    name = ".".join(str(part)[:80] for part in where)
    if kind == "extra_forbidden":
        meant = near(name, known)
        return f"there is no argument {name!r}" + (f", is it {meant}?" if meant else "")
    if kind == "missing":
        return f"{name} is missing, and has no default"
    message = message.removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
