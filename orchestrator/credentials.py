"""The token: where it is found, what shape it has, and how it is kept out of everything that is shown."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from orchestrator.errors import UsageProblem
from orchestrator.exposed import caution
from orchestrator.files import read_file
from orchestrator.model import Api
from orchestrator.safe import MASK
from orchestrator.settings import EMAIL, TOKEN, TOKENS, Settled, Written, settle

_SHAPE = re.compile(r"[!-~]{1,4096}\Z")
_EMAIL = re.compile(r"[!-9;-~]{1,320}\Z")  # no colon: it separates user and password in HTTP Basic
STDIN = "-"
# Where systemd puts credentials; a file with the token; the token itself.
_PROVIDED, _IN_FILE, _ITSELF = TOKEN.variables
_LONGEST_FILE = 64 * 1024
# Shorter ones are no tokens of the API but stand-ins for the simulator; replacing "a" everywhere would leave
# nothing to read.
_SHORTEST_MASKED = 6
# Tokens of the API have 32 characters and more. A short stand-in for the simulator, such as "test", is a word
# of every answer and must not be replaced there.
SHORTEST_ECHO = 16
_OTHER_NAMES = ("BEARER_TOKEN", "TE_BEARER", "TE_BEARER_TOKEN", "THOUSANDEYES_TOKEN")
_WAYS = "set TE_TOKEN, or TE_TOKEN_FILE to a file with the token, or use --token-file FILE ('-' is stdin)"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The token, and the user's address where HTTP Basic is wanted (v6 only). Neither is in its ``repr``."""

    token: str = field(repr=False)
    email: str | None = field(default=None, repr=False)
    # What should be put right where the token was found.
    caution: str | None = field(default=None, compare=False)

    def authorization(self, api: Api) -> str:
        """Return the value of the Authorization header: Basic for v6 with an address, else Bearer."""
        if api is Api.V6 and self.email is not None:
            return f"Basic {self._basic()}"
        return f"Bearer {self.token}"

    def secrets(self) -> tuple[str, ...]:
        """Every form in which the token travels or is echoed, the longest first."""
        forms = {self.token, self.token.replace("/", "\\/"), quote(self.token, safe="")}
        if self.email is not None:
            forms.add(self._basic())
        if len(self.token) >= SHORTEST_ECHO:
            forms.update(_in_base64(self.token))
        return tuple(sorted(forms, key=len, reverse=True))

    def _basic(self) -> str:
        return base64.b64encode(f"{self.email}:{self.token}".encode()).decode("ascii")


class Masker:
    """Replaces the token in any text. Without credentials it changes nothing."""

    def __init__(self, credentials: Credentials | None) -> None:
        forms = credentials.secrets() if credentials is not None else ()
        self._masked = _masking([form for form in forms if len(form) >= _SHORTEST_MASKED])

    def __call__(self, text: str) -> str:
        """Return the text with every form of the token replaced by ``***``."""
        return self._masked(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _in_base64(token: str) -> Iterator[str]:
    """The token in base64 after 0, 1 or 2 bytes of something else, as in HTTP Basic; but its ends."""
    for before in range(3):
        coded = base64.b64encode(b"x" * before + token.encode("utf-8", "replace"))
        inner = coded.decode("ascii")[4 if before else 0 : -4]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def _spelled(secret: str) -> str:
    """A pattern for a secret, each of whose characters may be written as JSON, a URL or HTML escapes it.

    Escapes may be escaped again: ``\\\\u003d`` in JSON within JSON, ``%253d`` in a URL within a URL.
    """
    return "".join(_spelled_character(character) for character in secret)


def _spelled_character(character: str) -> str:
    code = ord(character)
    either = "".join(f"[{one}{one.upper()}]" if one.isalpha() else one for one in f"{code:02x}")
    ways = [rf"\\+u00{either}", f"%(?:25)*{either}", f"&#(?:0*{code}|[xX]0*{either});"]
    if character in '/"\\':
        ways.append(rf"\\+{re.escape(character)}")
    return f"(?:{re.escape(character)}|{'|'.join(ways)})"


# Without one of these a secret can only be written as it is.
_ESCAPES = (b"\\", b"%", b"&#")
# One character as JSON, a URL or HTML escapes it: its code in hexadecimal, the character, or its code.
_ESCAPED = re.compile(
    rb"\\+(?:u00(?P<json>[0-9a-fA-F]{2})|(?P<plain>[\"/]))|%(?:25)*(?P<url>[0-9a-fA-F]{2})"
    rb"|&#(?:0*(?P<html>[0-9]{1,3})|[xX]0*(?P<hex>[0-9a-fA-F]{1,2}));"
)


def masked_bytes(credentials: Credentials) -> Callable[[bytes], bytes]:
    """Replaces the token in a body, as :class:`Masker` does in texts, if it is long enough to be no word."""
    return _masking([form for form in credentials.secrets() if len(form) >= SHORTEST_ECHO])


def _masking(forms: Sequence[str]) -> Callable[[bytes], bytes]:
    """Replaces each of these forms of a secret, however its characters are spelled."""
    plain = [form.encode() for form in forms]
    if not plain:
        return lambda body: body

    @cache
    def pattern() -> re.Pattern[bytes]:
        # So many spellings take a while to compile, and hardly any run needs them.
        return re.compile(b"|".join(_spelled(form).encode() for form in forms))

    characters = frozenset(b"".join(plain))
    # Where these are part of a secret, what is an escape depends on what stands before it.
    ambiguous = not characters.isdisjoint(b"%\\&")

    def masked(body: bytes) -> bytes:
        # Trying every spelling at every byte costs more than reading the body. Most bodies have no escapes,
        # and most escapes are of characters that no secret has: a blank in a URL, an accent in a name.
        for sign in _ESCAPES:
            if sign in body and (ambiguous or _escapes_one_of(characters, body, sign)):
                return pattern().sub(MASK.encode(), body)
        for form in plain:
            if form in body:
                return pattern().sub(MASK.encode(), body)
        return body

    return masked


def _escapes_one_of(characters: frozenset[int], body: bytes, sign: bytes) -> bool:
    """Whether one of these characters is escaped anywhere, in a way that begins with ``sign``."""
    at = body.find(sign)
    while at >= 0:
        found = _ESCAPED.match(body, at)
        if found is not None and _escaped_character(found) in characters:
            return True
        at = body.find(sign, at + 1 if found is None else found.end())
    return False


def _escaped_character(found: re.Match[bytes]) -> int:
    kind = found.lastgroup or ""
    told = found[kind]
    return ord(told) if kind == "plain" else int(told, 10 if kind == "html" else 16)


def mask_of_secrets(secrets: Sequence[str]) -> Callable[[str], str]:
    """Replaces secrets of another kind than the token in texts, however their characters are spelled."""
    longest_first = sorted({one for one in secrets if len(one) >= _SHORTEST_MASKED}, key=len, reverse=True)
    masked = _masking(longest_first)
    return lambda text: masked(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def mask_of(credentials: Credentials) -> Callable[[str], str]:
    """The same for texts."""
    masked = masked_bytes(credentials)
    return lambda text: masked(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def find_credentials(
    environ: Mapping[str, str], token_file: str | None, stdin: TextIO | None, reference: str | None = None
) -> Credentials:
    """Return the token from the first place that has one, with ``TE_EMAIL`` where it is set.

    The order is: ``token_file`` (``-`` reads ``stdin``), systemd's ``$CREDENTIALS_DIRECTORY/te-token``,
    ``TE_TOKEN_FILE``, ``TE_TOKEN``, the ``reference`` of a file of configuration. Raises
    :class:`UsageProblem`, which says where was looked.
    """
    token, place, file = _token(environ, token_file, stdin, reference)
    _check(token, place)
    email = settle(EMAIL, environ=environ).text
    if email is not None and not _EMAIL.match(email):
        raise UsageProblem("TE_EMAIL is not an address: it has a blank, a colon or a letter outside ASCII")
    return Credentials(token, email, None if file is None else caution(file))


def find_own_or_referenced(
    reference: str | None, environ: Mapping[str, str], usual: str | None = None
) -> Credentials:
    """The token of an organization for a command that was given none: that which its ``reference`` means,
    else that of the environment, or of the ``usual`` reference of a file of configuration.

    Raises :class:`UsageProblem` where there is neither, and where they are two: one of them would be charged
    for what the other one was meant for.
    """
    if reference is None:
        return find_credentials(environ, token_file=None, stdin=None, reference=usual)
    try:
        own = find_credentials(environ, token_file=None, stdin=None, reference=usual)
    except _NoToken:
        return find_referenced(reference, environ)
    try:
        referenced = find_referenced(reference, environ)
    except UsageProblem:
        return own
    if own.token != referenced.token:
        raise UsageProblem(
            f"the token of the environment is not the one of the organization ({reference})",
            hint="unset TE_TOKEN and TE_TOKEN_FILE, or say with --token-file which is meant",
        )
    return own


def token_place(environ: Mapping[str, str], token_file: str | None, file: Written | None = None) -> Settled:
    """Where the token comes from, without reading it; nowhere is the default."""
    provided = _provided(environ)
    if provided is None or not provided.is_file():
        environ = {name: environ[name] for name in (_IN_FILE, _ITSELF) if name in environ}
    return settle(TOKEN, flag=token_file, environ=environ, file=file)


def _provided(environ: Mapping[str, str]) -> Path | None:
    """The file that systemd may have put there."""
    directory = environ.get(_PROVIDED, "")
    return Path(directory) / "te-token" if directory else None


def find_referenced(reference: str, environ: Mapping[str, str]) -> Credentials:
    """The token that a reference of an organization means on this host.

    ``env:NAME`` is a variable, ``file:NAME`` a file in the folder that ``ORCHESTRATOR_TOKENS`` names (by
    default ``/run/secrets``), ``credential:NAME`` one in systemd's ``$CREDENTIALS_DIRECTORY``. What may stand
    in a reference is checked where it is written. Raises :class:`UsageProblem`.
    """
    token, file = _referenced(reference, environ)
    _check(token, reference)
    return Credentials(token, None, None if file is None else caution(file))


def _referenced(reference: str, environ: Mapping[str, str]) -> tuple[str, Path | None]:
    kind, _, name = reference.partition(":")
    if kind == "env":
        token = environ.get(name, "").strip("\r\n")
        if not token:
            raise UsageProblem(f"no API token: {reference} is not set on this host")
        return token, None
    folder = environ.get(_PROVIDED, "") if kind == "credential" else settle(TOKENS, environ=environ).text
    if not folder:
        raise UsageProblem(f"no API token: {reference} needs {_PROVIDED}, which is not set on this host")
    file = Path(folder) / name
    return _read_file(file, reference), file


def _token(
    environ: Mapping[str, str], token_file: str | None, stdin: TextIO | None, reference: str | None
) -> tuple[str, str, Path | None]:
    """The token, where it was found in words, and its file if it has one."""
    if token_file == STDIN:
        if stdin is None:
            raise UsageProblem("--token-file - reads standard input, but there is none", hint=_WAYS)
        return _read_stdin(stdin), "standard input", None
    if token_file is not None:
        file = Path(token_file)
        return _read_file(file, "--token-file"), f"--token-file {token_file}", file
    provided = _provided(environ)
    if provided is not None and provided.is_file():
        return _read_file(provided, f"${_PROVIDED}"), str(provided), provided
    if named := environ.get(_IN_FILE, ""):
        return _read_file(Path(named), _IN_FILE), f"{_IN_FILE} ({named})", Path(named)
    if token := environ.get(_ITSELF, "").strip("\r\n"):
        return token, _ITSELF, None
    if reference is not None:
        token, referenced = _referenced(reference, environ)
        return token, reference, referenced
    raise _missing(environ, provided)


class _NoToken(UsageProblem):
    """No place has a token."""


def _missing(environ: Mapping[str, str], provided: Path | None) -> _NoToken:
    looked = ["--token-file", *([str(provided)] if provided else []), _IN_FILE, _ITSELF]
    other = next((name for name in _OTHER_NAMES if environ.get(name)), None)
    hint = f"{other} is set, but the name is TE_TOKEN; {_WAYS}" if other else _WAYS
    return _NoToken(f"no API token: looked at {', '.join(looked)}", hint=hint)


def _read_stdin(stdin: TextIO) -> str:
    try:
        return stdin.read(_LONGEST_FILE).strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(f"the token cannot be read from standard input: {type(error).__name__}") from None


def _read_file(path: Path, way: str) -> str:
    try:
        content = read_file(path, _LONGEST_FILE)
    except FileNotFoundError:
        # The name of a file that is not there may be the token itself, in the wrong place: not repeated.
        raise UsageProblem(
            f"there is no file of the name in {way} ({len(str(path))} characters)",
            hint="it names a file with the token; the token itself belongs into TE_TOKEN",
        ) from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "its name cannot be one"
        raise UsageProblem(f"the token file in {way} cannot be read: {said}") from None
    # A byte outside ASCII becomes a character that the check refuses.
    return content.decode("ascii", "replace").strip("\r\n")


def _check(token: str, place: str) -> None:
    """Only what can stand in a header: printable ASCII without blanks. The token itself is not repeated."""
    if not token:
        raise UsageProblem(f"the token from {place} is empty", hint=_WAYS)
    if token.lower().startswith(("bearer ", "basic ")):
        kind = token.split(" ", 1)[0]
        raise UsageProblem(
            f"the token from {place} begins with the word {kind!r}", hint="only the token itself"
        )
    if token[0] in "\"'" or token[-1] in "\"'":
        raise UsageProblem(f"the token from {place} stands in quotation marks", hint="only the token itself")
    if not _SHAPE.match(token):
        raise UsageProblem(
            f"the token from {place} is not a token: {len(token)} characters, with a blank, a line break or "
            "a character outside ASCII among them",
            hint="the file or variable must hold the token and nothing else",
        )
