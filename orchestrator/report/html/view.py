"""What the page shows, decided: templates loop over these values and do nothing else.

Every text here may still be data: the templates escape all of it, by Jinja's autoescape. ``css`` are our own
one-letter classes. Coordinates are those of the drawing that a value belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a sentence; ``data`` is what the plan or the API said."""

    text: str
    data: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: ``x`` and ``width`` in its units."""

    css: str
    fill: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A stacked bar with its text."""

    segments: tuple[Segment, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Tally:
    """One number of the legend: ``sign`` is its mark."""

    css: str
    sign: str
    number: int
    word: str


@dataclass(frozen=True, slots=True)
class Card:
    """An explanation. ``share`` is the bad part of what it covers, percent. ``number`` is ``None`` of what
    passes and got worse; ``age`` says since when it is so."""

    number: int | None
    css: str
    icon: str
    kind: str
    title: tuple[Part, ...]
    text: str
    contrast: str
    tag: str
    bad: int
    known: int
    share: int
    sure: str
    age: str = ""


@dataclass(frozen=True, slots=True)
class Lone:
    """Cells of one verdict that no explanation covers, the first of them."""

    title: str
    cells: tuple[tuple[Part, ...], ...]
    more: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A cell of a matrix that says something. ``ref`` is the number of its row among the bad cells."""

    css: str
    sign: str = ""
    ref: int | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a matrix; a cell that passes is ``None``. ``whole`` is the one cell of a line for many."""

    block: str
    target: str
    cells: tuple[Mark | None, ...]
    whole: str | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    """A group of columns, and how many it spans."""

    label: str
    span: int


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend."""

    css: str
    sign: str
    word: str


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at the matrix. ``id`` is ours, ``heat`` tells that empty cells have no value."""

    id: str
    title: str
    caption: str
    keys: tuple[Key, ...]
    rows: tuple[Row, ...]
    heat: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """All cells of one class in the small picture, as a path."""

    css: str
    fill: str
    path: str


@dataclass(frozen=True, slots=True)
class Thumb:
    """The matrix as a small picture, one unit a cell."""

    width: int
    height: int
    runs: tuple[Run, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """The matrix: columns once, rows for each view. ``notes`` tell what is left out of it."""

    by: str
    groups: tuple[Heading, ...]
    columns: tuple[str, ...]
    starts: tuple[int, ...]  # columns, from 1, that begin a group
    views: tuple[View, ...]
    thumb: Thumb
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Strip:
    """Times on a common log scale as a path of marks, and the median as another one; ``before`` is a
    triangle at the median before."""

    marks: str
    median: str
    text: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Squares:
    """How the last runs went, the newest last, as a dashed path for each class; ``bars`` are on those that
    failed."""

    width: int
    runs: tuple[Run, ...]
    bars: str
    text: str


@dataclass(frozen=True, slots=True)
class Then:
    """How a target was before: its median, what changed, ``css`` where that is more than noise."""

    median: str
    change: str
    css: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A target, or a site, with what came of its cells. ``causes`` are numbers of cards."""

    small: str
    name: str
    place: str
    bar: Bar
    numbers: tuple[int, ...]
    strip: Strip | None
    median: str
    causes: tuple[int, ...]
    squares: Squares | None = None
    then: Then | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Targets or sites. ``heads`` are those of the numbers, ``scale`` the ends of the strips' scale."""

    heads: tuple[str, ...]
    entries: tuple[Entry, ...]
    places: str
    times: bool
    scale: str
    notes: tuple[str, ...] = ()
    runs: int = 0
    before: bool = False


@dataclass(frozen=True, slots=True)
class Times:
    """Where a cell's time went, and below it where it usually goes to that target."""

    now: tuple[Segment, ...]
    usual: tuple[Segment, ...]
    text: str


@dataclass(frozen=True, slots=True)
class BadCell:
    """A row among the bad cells; ``id`` is its number, ``None`` where nothing links to it."""

    id: int | None
    block: str
    target: str
    agent: str
    country: str
    css: str
    sign: str
    word: str
    what: str
    servers: tuple[str, ...]
    loss: str
    latency: str
    times: Times | None
    link: str | None


@dataclass(frozen=True, slots=True)
class BadCells:
    """Bad cells that share a cause; ``number`` is that of its card, ``None`` of those without one."""

    number: int | None
    title: tuple[Part, ...]
    total: str
    cells: tuple[BadCell, ...]
    more: str
    parts: bool
    links: bool
    open: bool


@dataclass(frozen=True, slots=True)
class Dot:
    """A hop, an agent or the target in the path graph."""

    x: float
    y: float
    r: float
    fill: str
    css: str
    text: str
    label: str = ""
    label_x: float = 0.0
    label_y: float = 0.0
    anchor: str = "end"
    bad: bool = False
    ring: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """What joins two dots. ``dashed``: known from an earlier run only. ``note`` stands beside it."""

    path: str
    css: str
    stroke: str
    width: float
    dashed: bool
    note: str = ""
    note_x: float = 0.0
    note_y: float = 0.0


@dataclass(frozen=True, slots=True)
class Traced:
    """A line of the graph's table."""

    agent: str
    bad: bool
    ends: str
    network: str
    hops: str
    earlier: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """The paths to one target. ``id`` is ours; ``heads`` are words over its columns with their place."""

    id: int
    block: str
    target: str
    sentence: tuple[Part, ...]
    cause: int | None
    width: int
    height: int
    heads: tuple[tuple[float, str], ...]
    links: tuple[Link, ...]
    dots: tuple[Dot, ...]
    traced: tuple[Traced, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Went:
    """One run of the strip: ``sign`` is its mark, ``when`` the time or the day."""

    css: str
    sign: str
    word: str
    when: str


@dataclass(frozen=True, slots=True)
class Changed:
    """What changed since ``base``, which is ``when``: numbers, what is new and over, how the last runs went.

    ``compared`` is how much could be compared. ``gate`` is what the gate says, ``why`` its reasons; both only
    if a base was named.
    """

    base: tuple[Part, ...]
    when: str
    numbers: tuple[Tally, ...]
    news: tuple[Part, ...]
    runs: tuple[Went, ...]
    compared: str = ""
    gate: str = ""
    why: tuple[str, ...] = ()
    lines: tuple[tuple[Part, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ChangedCell:
    """A line of a comparison; ``counts``: the gate counts it."""

    block: str
    target: str
    agent: str
    country: str
    css: str
    sign: str
    word: str
    counts: bool
    what: str


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A comparison. ``state``, ``sign`` and ``word`` as of a :class:`Page`."""

    title: str
    plan: str
    facts: tuple[str, ...]
    run: str
    simulated: bool
    state: str
    sign: str
    word: str
    headline: tuple[Part, ...]
    lead: tuple[Part, ...]
    cards: tuple[Card, ...]
    more_cards: tuple[Card, ...]
    below: tuple[tuple[Part, ...], ...]
    changed: Changed | None
    matrix: Matrix | None
    cells: tuple[ChangedCell, ...]
    more: str
    paths: tuple[tuple[Part, ...], ...]
    origin: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command to go on with, and what it is for."""

    what: str
    command: str


@dataclass(frozen=True, slots=True)
class Public:
    """A public snapshot: of what, until when, its link if a page may link to it, else its text."""

    what: tuple[Part, ...]
    until: str
    link: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report. ``state`` is the class of its mark, ``sign`` the mark, ``word`` what it says.

    ``brief`` are the cards of a summary, ``brief_more`` what is left out of it.
    """

    title: str
    plan: str
    facts: tuple[str, ...]
    run: str
    simulated: bool
    state: str
    sign: str
    word: str
    headline: tuple[Part, ...]
    lead: str
    cards: tuple[Card, ...]
    more_cards: tuple[Card, ...]
    brief: tuple[Card, ...]
    brief_more: str
    lone: tuple[Lone, ...]
    again: str | None
    bar: Bar
    tallies: tuple[Tally, ...]
    matrix: Matrix | None
    targets: Table | None
    sites: Table | None
    graphs: tuple[Graph, ...]
    bad: tuple[BadCells, ...]
    limits: tuple[tuple[Part, ...], ...]
    commands: tuple[Command, ...]
    origin: str
    changed: Changed | None = None
    public: tuple[Public, ...] = ()
