"""What a command was told: flags win over the environment, that over the plan, the plan over a file of
configuration, that over defaults. Here is the table of all settings, and the one function that decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from orchestrator.errors import UsageProblem

# The vendor's production API, without a version, and where all of its APIs are.
PRODUCTION = "https://api.thousandeyes.com"
_VENDOR = "thousandeyes.com"
# When a channel is told: what `orchestrator.outbox.On` names.
NOTIFY_ON = ("change", "bad", "always")
# How strict a gate is: what `orchestrator.compare.gate.Strictness` names, which is not loaded for --help.
GATES = ("strict", "normal", "loose", "off")

Value = str | float | bool | tuple[str, ...] | None


class Source(StrEnum):
    """Where a value came from, the strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    PLAN = "plan"
    FILE = "file"
    DEFAULT = "default"


class Kind(StrEnum):
    """What a value is, and how people are told so."""

    TEXT = "a text"
    PATH = "the path of a file"
    STORE = "a path, or postgresql://HOST/DATABASE"
    TOKEN = "a reference: env:NAME, file:/path or credential:NAME"  # noqa: S105 - it names none
    DURATION = "a time such as 90s or 3m"
    NUMBER = "a number of at least 0"
    COUNT = "a whole number of at least 1"
    TRUTH = "true or false"
    NAMES = "a name, or a list of names"


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that a command may be told. ``key`` is its name: that in a file of configuration, too.

    ``variables`` are those of the environment, the first that is set counts. ``in_file``: whether a file may
    say it. ``secret``: its value is shown to nobody.
    """

    key: str
    meaning: str
    flag: str | None = None
    variables: tuple[str, ...] = ()
    kind: Kind = Kind.TEXT
    default: Value = None
    choices: tuple[str, ...] = ()
    in_file: bool = True
    secret: bool = False


BASE_URL = Setting(
    "base_url", "origin of the API", "--base-url", ("TE_BASE_URL", "TE_API_ENDPOINT"), default=PRODUCTION
)
AID = Setting("aid", "account group", "--aid", ("TE_AID",))
ORGANIZATION = Setting("organization", "tells organizations' budgets apart", "--organization", default="")
TOKEN = Setting(
    "token",
    "where the API token is",
    "--token-file",
    ("CREDENTIALS_DIRECTORY", "TE_TOKEN_FILE", "TE_TOKEN"),
    Kind.TOKEN,
    secret=True,
)
EMAIL = Setting("email", "with the token: HTTP Basic (v6)", None, ("TE_EMAIL",), in_file=False, secret=True)
CA_FILE = Setting("ca_file", "certificates to trust too", "--ca-file", ("TE_CA_FILE",), Kind.PATH)
STORE = Setting("store", "where runs are kept", "--store", ("ORCHESTRATOR_STORE",), Kind.STORE)
LOG_LEVEL = Setting(
    "log_level",
    "what is logged",
    "--log-level",
    ("ORCHESTRATOR_LOG",),
    default="warning",
    choices=("debug", "info", "warning", "error", "critical"),
)
NOTIFY = Setting("notify", "channels that are told of a run", "--notify", kind=Kind.NAMES, default=())
NOTIFY_WHEN = Setting(
    "notify_on", "when those of notify are told", "--notify-on", default="change", choices=NOTIFY_ON
)
NOTIFY_FILE = Setting("notify_file", "addresses of channels", "--notify-file", kind=Kind.PATH)
QUIET = Setting("quiet", "print nothing on success", "--quiet", kind=Kind.TRUTH, default=False)
GRACE = Setting("grace", "seconds after the first signal", "--grace", kind=Kind.NUMBER, default=30.0)
GATE = Setting("gate", "what makes exit code 1", "--gate", default="normal", choices=GATES)
TIME_BOX = Setting("time_box", "how long a diagnosis takes", "--time-box", kind=Kind.DURATION, default="3m")
CONTROL = Setting(
    "control",
    "targets that are known to work",
    "--control",
    ("ORCHESTRATOR_DIAGNOSE_CONTROL",),
    Kind.NAMES,
    (),
)
CONCURRENCY = Setting(
    "concurrency", "runs of a worker at a time", "--concurrency", kind=Kind.COUNT, default=10
)
TOKENS = Setting(
    "tokens", "folder of file:NAME", None, ("ORCHESTRATOR_TOKENS",), default="/run/secrets", in_file=False
)
PATIENCE = Setting(
    "store_patience",
    "seconds that a database may be gone",
    variables=("ORCHESTRATOR_STORE_PATIENCE",),
    in_file=False,
)
TENURE = Setting(
    "store_tenure", "seconds of a lease in a database", None, ("ORCHESTRATOR_STORE_TENURE",), in_file=False
)
ALLOW_PLAIN = Setting(
    "allow_plain_database",
    "reach a database without proof",
    "--allow-plain-database",
    ("ORCHESTRATOR_ALLOW_PLAIN_DATABASE",),
    in_file=False,
)
CONFIG = Setting(
    "config", "the file of configuration", "--config", ("ORCHESTRATOR_CONFIG",), Kind.PATH, in_file=False
)
PROFILE = Setting("profile", "a part of that file", "--profile", ("ORCHESTRATOR_PROFILE",))

SETTINGS = (
    *(CONFIG, PROFILE, BASE_URL, AID, ORGANIZATION, TOKEN, EMAIL, CA_FILE, STORE, LOG_LEVEL),
    *(NOTIFY, NOTIFY_WHEN, NOTIFY_FILE, QUIET, GRACE, GATE, TIME_BOX, CONTROL, CONCURRENCY),
    *(TOKENS, PATIENCE, TENURE, ALLOW_PLAIN),
)


@dataclass(frozen=True, slots=True)
class Written:
    """A value in a plan or a file of configuration, and where it stands. Lines and columns begin with 1."""

    value: Value
    file: str
    line: int = 1
    column: int = 1

    @property
    def place(self) -> str:
        """``FILE:LINE``."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Settled:
    """A value, and where it came from: ``place`` is a flag, a variable, or ``FILE:LINE``."""

    value: Value
    source: Source
    place: str = ""

    @property
    def text(self) -> str | None:
        """The value as a text without blanks around it, or ``None`` where there is none."""
        return None if _is_empty(self.value) else str(self.value).strip() or None


def settle(
    setting: Setting,
    *,
    flag: Value = None,
    environ: Mapping[str, str] | None = None,
    plan: Written | None = None,
    file: Written | None = None,
) -> Settled:
    """What counts: the flag, else the environment, else the plan, else the file, else the default.

    What is empty was not said.
    """
    if not _is_empty(flag):
        return Settled(flag, Source.FLAG, setting.flag or "")
    for name in setting.variables:
        text = (environ or {}).get(name, "")
        if text:
            value = tuple(text.split()) if setting.kind is Kind.NAMES else text
            return Settled(value, Source.ENVIRONMENT, name)
    for source, written in ((Source.PLAN, plan), (Source.FILE, file)):
        if written is not None and not _is_empty(written.value):
            return Settled(written.value, source, written.place)
    return Settled(setting.default, Source.DEFAULT)


def _is_empty(value: Value) -> bool:
    return value is None or (isinstance(value, str | tuple) and not value)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to talk to, as whom, and where to keep what comes back.

    ``store`` is a URL (see :mod:`orchestrator.store.opening`). ``organization`` tells apart the budgets of
    several organizations at one origin; without it, runs at the same origin share theirs.

    ``origin_named``: somebody asked for this origin, so no other will do. Else ``origins`` are those that
    this host may send a token to.
    """

    origin: str
    store: str
    account: str | None = None
    organization: str = ""
    allow_http: bool = False
    ca_file: str | None = None
    urgent: bool = False
    origin_named: bool = True
    origins: tuple[str, ...] = ()


def is_vendors(origin: str) -> bool:
    """Whether a normal origin is the vendor's own, in whatever region: nobody else can answer there."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    return parts.scheme == "https" and (host == _VENDOR or host.endswith(f".{_VENDOR}"))


def pick_account(
    flag: str | None, environ: Mapping[str, str], plan: str | None = None, file: Written | None = None
) -> str | None:
    """The account group id, if any was named. Raises :class:`UsageProblem` for what cannot be one."""
    planned = None if plan is None else Written(plan, "the plan")
    account = settle(AID, flag=flag, environ=environ, plan=planned, file=file).text
    if account is not None and not (account.isascii() and account.isalnum()):
        raise UsageProblem("an account group is named by its id, letters and digits only (TE_AID, --aid)")
    return account
