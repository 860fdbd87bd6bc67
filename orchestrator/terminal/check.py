"""What a plan would take, for a terminal: the answer of ``check``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from orchestrator.allotment import Allotment, Monthly, Told
from orchestrator.courtesy import Courtesy
from orchestrator.report.check import Block, blocks, own_expectations, units_left_words
from orchestrator.report.digest import grouped
from orchestrator.report.headline import many
from orchestrator.report.names import agent_names
from orchestrator.report.times import span
from orchestrator.safe import terminal
from orchestrator.terminal.console import say, table
from orchestrator.terminal.summary import print_groups

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.estimate import Estimate
    from orchestrator.model import Agent, NotRun, Spec
    from orchestrator.outbox import Channel
    from orchestrator.plan.offline import Offline


# Lines for what single targets expect.
_OWN = 10


def print_check(
    console: Console,
    plan: str,
    specs: Sequence[Spec],
    left_out: Sequence[NotRun],
    worth: Estimate,
    agents: Sequence[Agent] = (),
    *,
    keep: int | None = None,
    courtesy: Courtesy | None = None,
    told: Told | None = None,
    monthly: Monthly | None = None,
) -> None:
    """What would be created, what packing saves, what it takes, what is left out, for people.

    ``agents`` is the listing, for the names of those that are left out; ``keep`` is how many runs of the plan
    stay in the store, ``courtesy`` what the plan asks for, ``told`` what the vendor says of its units,
    ``monthly`` what the plan takes a month.
    """
    cells, creations = many(worth.cells, "cell"), many(worth.creations, "creation")
    say(console, f"{terminal(plan)}  {cells} in {creations}, about {span(worth.finish_seconds)}", "bold")
    headings = ("test", "type", "targets", "cells", "creations", "deadline", "layers")
    table(console, headings, [_row(block) for block in blocks(specs)], indent=2)
    saved = worth.creations_unpacked - worth.creations
    say(
        console,
        f"  creations {worth.creations}; one per cell would be {worth.creations_unpacked} ({saved} saved)",
    )
    hops = f", and at most {worth.hops} for the hops of targets that fail" if worth.hops else ""
    say(console, f"  reads     about {worth.reads}{hops}")
    say(console, f"  units     about {worth.units:g} (an estimate after {terminal(worth.price_source)})")
    if told is not None:
        _print_units(console, worth.units, told, monthly)
    seen = "as seen" if worth.limits_known else "the vendor's defaults where none was seen yet"
    limits = f"{worth.instant_limit} instant tests and {worth.organization_limit} requests a minute"
    say(console, f"  finish    about {span(worth.finish_seconds)} under limits of {limits} ({seen})")
    if courtesy is not None and courtesy != Courtesy():
        say(console, f"  courtesy  {_courtesy(courtesy, worth.courtesy_seconds)}")
    if worth.deadline is not None and worth.beyond_deadline:
        beyond = f"{worth.beyond_deadline} of {many(worth.creations, 'test')} will not fit"
        fit = "all blocks and targets in turn, until it ends"
        say(console, f"  time box  {span(worth.deadline)}: about {beyond}; {fit}", "yellow")
    _print_own(console, specs)
    if keep is not None:
        say(
            console,
            f"  keep      {many(keep, 'run')} of this plan; each run takes older ones out of the store",
        )
    print_groups(console, "Left out", grouped(left_out, agent_names(agents)))
    for sentence in worth.exceeded:
        say(console, f"ceiling exceeded: {terminal(sentence)}", "bold red")


def _print_units(console: Console, units: float, told: Told, monthly: Monthly | None) -> None:
    """What is left of the units, what the plan takes of it, and what it takes a month."""
    known = isinstance(told, Allotment)
    part = ""
    if isinstance(told, Allotment) and told.left > 0.0:
        part = f"; this plan takes {100.0 * units / told.left:.2g}% of it"
    say(console, f"  left      {terminal(units_left_words(told))}{part}", "" if known else "dim")
    if monthly is not None:
        runs = f"{many(monthly.runs, 'run')} in 30 days at {monthly.cron} ({monthly.timezone})"
        too_much = isinstance(told, Allotment) and monthly.units > told.most
        beyond = f"; there are {told.most:g} a period" if isinstance(told, Allotment) and too_much else ""
        style = "bold yellow" if too_much else ""
        say(console, f"  a month   about {monthly.units:g} units: {terminal(runs)}{beyond}", style)


def _courtesy(asked: Courtesy, least: float) -> str:
    """What is asked for, and what it takes at least."""
    told = []
    if asked.per_host is not None:
        told.append(f"{many(asked.per_host, 'test')} at once toward a host")
    if asked.per_agent is not None:
        told.append(f"{asked.per_agent} at once on an agent")
    if asked.spacing > 0.0:
        told.append(f"{asked.spacing:g} s between beginnings toward a host")
    if asked.limits:
        told[-1] += f": at least about {span(least)}"
    if asked.allow:
        told.append(f"every host is on the list of {many(len(asked.allow), 'pattern')}")
    return "; ".join(told)


def print_channels(console: Console, channels: Sequence[Channel], reached: Collection[str]) -> None:
    """Who is told of runs, and whether an address of each is known."""
    for one in channels:
        known = one.to in reached
        said = "its address is known" if known else "no address of it is known: a run would end with 2"
        say(console, f"  notify    {terminal(one.to)} on {one.on.value}: {said}", "" if known else "yellow")


def _print_own(console: Console, specs: Sequence[Spec]) -> None:
    """What single targets expect beyond what all of their test do."""
    own = own_expectations(specs)
    if own:
        say(console, "Targets with expectations of their own", "bold")
    for test, target, texts in own[:_OWN]:
        say(console, f"  {terminal(test)}, {terminal(target)}: {terminal('; '.join(texts))}")
    if len(own) > _OWN:
        say(console, f"  and {len(own) - _OWN} more (--json has them all)")


def _row(block: Block) -> tuple[str, ...]:
    return (
        terminal(block.name),
        block.type,
        str(block.targets),
        str(block.cells),
        str(block.creations),
        span(block.deadline),
        terminal(", ".join(block.layers)),
    )


def print_offline(console: Console, plan: str, found: Offline) -> None:
    """What is certain of a valid plan without the list of agents, and what is not, for people."""
    blocks = many(len(found.blocks), "test block")
    say(console, f"{terminal(plan)}  {blocks} without a mistake, as far as can be told offline", "bold")
    rows = [
        (
            terminal(block.name),
            block.type,
            str(block.targets),
            "?" if block.agents is None else str(block.agents),
            terminal(", ".join(block.layers)),
        )
        for block in found.blocks
    ]
    table(console, ("test", "type", "targets", "agents", "layers"), rows, indent=2)
    say(console, f"  creations at least {found.creations}; units, time and ids of agents were not checked")
    if found.unlisted:
        say(console, "Needs the list of agents", "bold")
    for one in found.unlisted:
        place = f"{terminal(one.place.file)}:{one.place.line}:{one.place.column}"
        say(console, f"  {place}: {one.what} {terminal(one.name)} (test {terminal(one.test)})")
    for sentence in found.exceeded:
        say(console, f"ceiling exceeded: {terminal(sentence)}", "bold red")
