"""Where notices go: names in plans and on command lines, their addresses outside of them, as secrets.

Whoever has the address of a web hook can write there. So it is found as the token is, masked as the token is,
and never stored; a plan has the name of a channel only.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from orchestrator.errors import UsageProblem
from orchestrator.exposed import caution
from orchestrator.files import read_file
from orchestrator.outbox import CHANNEL, Channel, On

PREFIX = "ORCHESTRATOR_NOTIFY_"
_LONGEST_FILE = 64 * 1024
# One line without blanks.
_SHAPE = re.compile(r"[!-~\u00a1-\U0010ffff]{1,8000}\Z")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://", re.ASCII)
# Parts of an address that are secrets for themselves; shorter ones are words.
_SECRET_PART = 16
_HOOKS = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a channel. It is in no ``repr``. ``caution`` is what to put right where it was found."""

    name: str
    url: str = field(repr=False)
    caution: str | None = field(default=None, compare=False)

    @property
    def is_hook(self) -> bool:
        """Whether it takes our JSON by HTTP; another one is a service that needs the extra ``notify``."""
        return urlsplit(self.url).scheme.lower() in _HOOKS

    def secrets(self) -> tuple[str, ...]:
        """Every form in which it may be repeated: whole, its path and query, what is long in them."""
        parts = urlsplit(self.url)
        found = {self.url, self.url.replace("/", "\\/"), quote(self.url, safe="")}
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if len(path) >= _SECRET_PART:
            found.add(path)
        inner = [*parts.path.split("/"), *re.split(r"[=&]", parts.query), parts.netloc.rpartition("@")[0]]
        if not self.is_hook:
            inner += [parts.netloc, *parts.netloc.split("@")]
        found.update(one for one in inner if len(one) >= _SECRET_PART)
        if parts.password:
            found.add(parts.password)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class AddressBook:
    """The addresses of channels: of a file, of systemd's credentials, of the environment, in this order.

    ``given`` are addresses that stood on the command line themselves.
    """

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    file: str | None = None
    given: Mapping[str, Address] = field(default_factory=dict)

    def find(self, name: str) -> Address | None:
        """The address of a channel, if one is known. Raises ``UsageProblem`` for one that cannot be used."""
        if name in self.given:
            return self.given[name]
        for url, place, file in self._places(name):
            return _checked(name, url, place, file)
        return None

    def require(self, channels: Sequence[Channel]) -> tuple[Address, ...]:
        """The addresses of all of these. Raises ``UsageProblem``, which says where was looked."""
        return tuple(self._required(one.to) for one in channels)

    def _required(self, name: str) -> Address:
        found = self.find(name)
        if found is None:
            variable = variable_of(name)
            raise UsageProblem(
                f"no address is known of the channel {name!r}",
                hint=f"set {variable} to it, write `{name} = ADDRESS` into a file for --notify-file, or give "
                f"systemd the credential notify-{name}; --no-notify runs without",
            )
        return found

    def _places(self, name: str) -> Iterator[tuple[str, str, Path | None]]:
        if self.file is not None:
            path = Path(self.file)
            url = read_book(path).get(name.lower())
            if url is not None:
                yield url, "--notify-file", path
        directory = self.environ.get("CREDENTIALS_DIRECTORY", "")
        provided = Path(directory) / f"notify-{name}"
        if directory and provided.is_file():
            yield _text_of(provided, f"the credential notify-{name}").strip(), str(provided), provided
        variable = variable_of(name)
        if url := self.environ.get(variable, "").strip():
            yield url, variable, None


def variable_of(name: str) -> str:
    """The environment variable of a channel."""
    return PREFIX + name.upper().replace("-", "_")


def channels_of(words: Sequence[str], on: On) -> tuple[tuple[Channel, ...], dict[str, Address]]:
    """The channels of a command line, and the addresses among them, each under a name made of it.

    Raises ``UsageProblem`` for what is neither; it repeats nothing that may be a secret.
    """
    channels: dict[str, Channel] = {}
    given: dict[str, Address] = {}
    for word in words:
        name = word
        if _SCHEME.match(word):
            name = f"url-{hashlib.sha256(word.encode('utf-8', 'surrogateescape')).hexdigest()[:10]}"
            given[name] = _checked(name, word, "--notify", None)
        elif not CHANNEL.fullmatch(word):
            raise UsageProblem(
                f"--notify takes the name of a channel or its address, and this is neither ({len(word)} "
                "characters)",
                hint="a name has letters, digits, dashes and underscores; an address begins with https://",
            )
        channels[name] = Channel(name, on)
    return tuple(channels.values()), given


def read_book(path: Path) -> dict[str, str]:
    """The addresses in a file by lower-case name: ``name = address`` in each line, ``#`` begins a comment.

    Raises ``UsageProblem``, which repeats no line.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(_text_of(path, "--notify-file").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sign, url = line.partition("=")
        if not sign or not CHANNEL.fullmatch(name.strip()) or not url.strip():
            raise UsageProblem(
                f"line {number} of the file of --notify-file is not NAME = ADDRESS",
                hint="a name has letters, digits, dashes and underscores",
            )
        found[name.strip().lower()] = url.strip()
    return found


def _text_of(path: Path, way: str) -> str:
    try:
        content = read_file(path, _LONGEST_FILE)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "its name cannot be one"
        raise UsageProblem(f"the addresses in {way} cannot be read: {said}") from None
    return content.decode("utf-8", "replace")


def _checked(name: str, url: str, place: str, file: Path | None) -> Address:
    where = f"the address of the channel {name!r} ({place})"
    if not _SHAPE.match(url) or not _SCHEME.match(url):
        raise UsageProblem(
            f"{where} is no address: {len(url)} characters, with a blank or without a scheme",
            hint="an address begins with https://, or with the scheme of a service as slack://",
        )
    try:
        parts = urlsplit(url)
        usable = parts.port != 0
    except ValueError:
        usable, parts = False, SplitResult("", "", "", "", "")
    hook = parts.scheme.lower() in _HOOKS
    if not usable or (hook and not parts.hostname):
        raise UsageProblem(f"{where} has no usable host name")
    if parts.scheme.lower() == "http" and not is_this_machine(parts.hostname or ""):
        raise UsageProblem(
            f"{where} is plain http, and what is wrong in your network would travel in clear",
            hint="use https://; plain http:// is for this machine only",
        )
    return Address(name, url, None if file is None else caution(file))


def is_this_machine(host: str) -> bool:
    """Whether a host name is loopback."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
