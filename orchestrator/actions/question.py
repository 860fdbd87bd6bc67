"""What a diagnosis is asked, and how that is kept with its run."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.diagnosis.blocks import Extras
from orchestrator.diagnosis.naming import plan_name
from orchestrator.diagnosis.places import From
from orchestrator.diagnosis.plantext import CEILINGS, Frame
from orchestrator.errors import UsageProblem
from orchestrator.model import AgentState, AgentType, Api, Json, JsonObject
from orchestrator.plan.model import Plan
from orchestrator.plan.selectors import Selector

AGENTS, BOX = 12, 180.0
MOST_AGENTS, SHORTEST_BOX, LONGEST_BOX = 50, 30.0, 1800.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. ``box`` is the time box in seconds; ``controls`` are known to work; it is compared with
    ``against``. ``preset`` is a plan that is run instead of the usual tests.

    ``first`` are ids of agents to be asked before others. ``waves``: look closer where the first wave splits;
    ``confirm``: run what fails once more; ``share``: make a public snapshot of the worst test at the end, if
    something is bad. ``max_tests`` and ``max_units`` hold for all of it, if they are given: the first wave is
    refused beyond them, what comes later is left out.
    """

    targets: tuple[str, ...]
    whence: From = field(default_factory=From)
    agents: int = AGENTS
    box: float = BOX
    controls: tuple[str, ...] = ()
    against: str | None = None
    preset: Plan | None = None
    waves: bool = True
    confirm: bool = True
    share: bool = False
    extras: Extras = field(default_factory=Extras)
    api: Api = Api.V7
    seed: int = 0
    first: tuple[str, ...] = ()
    max_tests: int | None = None
    max_units: float | None = None

    @property
    def frame(self) -> Frame:
        """What holds its tests, as the text of a plan."""
        ceilings = CEILINGS.at_most(self.max_tests, self.max_units)
        return Frame(name_of(self), self.api.value, self.box, ceilings)


def check_question(question: Question) -> None:
    """Raise ``UsageProblem`` for what cannot be asked."""
    if not question.targets and question.preset is None:
        raise UsageProblem("there is no target", hint="name a URL, host:port, a name, an address or an agent")
    if not 1 <= question.agents <= MOST_AGENTS:
        raise UsageProblem(f"from 1 to {MOST_AGENTS} agents can be asked, not {question.agents}")
    if not SHORTEST_BOX <= question.box <= LONGEST_BOX:
        limits = f"{SHORTEST_BOX:.0f} seconds to {LONGEST_BOX / 60:.0f} minutes"
        raise UsageProblem(f"the time box is {limits}, not {question.box:g} s")
    if question.share and question.api is not Api.V7:
        raise UsageProblem(f"API {question.api.value} makes no snapshots here", hint="share by --api v7")


def name_of(question: Question) -> str:
    """The name of its plan."""
    return plan_name(question.targets, None if question.preset is None else question.preset.name)


def dump_question(question: Question) -> JsonObject:
    """As JSON values, its selector as far as the words of ``--from`` make one. Without a preset, which is a
    plan and kept as one, and without ``share``: nothing becomes public while nobody is there."""
    selector = question.whence.selector
    words: JsonObject = {
        "types": [one.value for one in selector.types],
        "names": [*selector.names],
        "countries": [*selector.countries],
        "locations": [*selector.locations],
        "labels": [*selector.labels],
        "states": [one.value for one in selector.states],
        "ids": [*selector.ids],
    }
    return {
        "targets": [*question.targets],
        "from": words,
        "from_run": question.whence.run,
        "first": [*question.first],
        "agents": question.agents,
        "box": question.box,
        "controls": [*question.controls],
        "against": question.against,
        "waves": question.waves,
        "confirm": question.confirm,
        "dns_servers": [*question.extras.dns_servers],
        "pages": question.extras.pages,
        "api": question.api.value,
        "seed": question.seed,
        "max_tests": question.max_tests,
        "max_units": question.max_units,
    }


def collecting(data: JsonObject) -> JsonObject:
    """The question of a diagnosis that only collects what it has asked: nothing more is created for it."""
    return {**data, "waves": False, "confirm": False}


def load_question(data: JsonObject) -> Question:
    """What :func:`dump_question` gave. Raises ``UsageProblem`` for what this version cannot read."""
    try:
        words = data["from"]
        if not isinstance(words, dict):
            raise TypeError(words)  # noqa: TRY301 - told below, as all of it
        selector = Selector(
            names=_texts(words["names"]),
            countries=_texts(words["countries"]),
            locations=_texts(words["locations"]),
            labels=_texts(words["labels"]),
            ids=_texts(words["ids"]),
            types=tuple(AgentType(one) for one in _texts(words["types"])),
            states=tuple(AgentState(one) for one in _texts(words["states"])),
        )
        against, run = data["against"], data["from_run"]
        return Question(
            targets=_texts(data["targets"]),
            whence=From(selector, None if run is None else str(run)),
            first=_texts(data["first"]),
            agents=int(str(data["agents"])),
            box=float(str(data["box"])),
            controls=_texts(data["controls"]),
            against=None if against is None else str(against),
            waves=data["waves"] is True,
            confirm=data["confirm"] is True,
            extras=Extras(_texts(data["dns_servers"]), data["pages"] is True),
            api=Api(str(data["api"])),
            seed=int(str(data["seed"])),
            max_tests=None if data["max_tests"] is None else int(str(data["max_tests"])),
            max_units=None if data["max_units"] is None else float(str(data["max_units"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageProblem(
            "what this diagnosis was asked cannot be read: another version of orchestrator wrote it",
            hint="go on with it by that version, or diagnose again",
        ) from error


def _texts(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(value)
    return tuple(str(one) for one in value)
