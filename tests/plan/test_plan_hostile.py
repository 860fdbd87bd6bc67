"""Addresses and CSV files of any text: each is read, or refused in words, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.plan import hosts
from orchestrator.plan.csvfile import read_table
from orchestrator.plan.problems import Problems

# Characters that mean something to a reader of addresses, between any others.
MARKS = ":/@[].%?#\\,;-_*'\"\u201c \t\u00a0\u200b\u3002\uff10\u2764\x00"
WORDS = ("http", "https://", "::", "10.0.0.1", "a.example", "xn--", "443", "99999", "2001:db8::1", "sip:")
PIECES = st.sampled_from([*MARKS, *WORDS, "A", "MX", "b\u00fccher", "{{x}}", "0x7f"])
ADDRESS = st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join)
READERS: tuple[Callable[[str], str], ...] = (
    lambda text: hosts.server(text, "server"),
    lambda text: hosts.registrar(text, "sipRegistrar"),
    lambda text: hosts.domain(text, "domain"),
    lambda text: hosts.address(text, "dnsOverride"),
    lambda text: hosts.url(text, "url", ("http", "https")),
)
MARKS_OF_CSV = st.sampled_from([*',;\t"\n\r|=', "sep=", "name", "url", "https://a.example"])
CELLS = st.lists(MARKS_OF_CSV | st.text(max_size=3), max_size=30)


@settings(deadline=None, max_examples=300)
@given(ADDRESS)
def test_an_address_is_read_or_refused_in_one_line(text: str) -> None:
    for read in READERS:
        try:
            sent = read(text)
        except hosts.AddressInvalid as error:
            said = str(error)
        else:
            said = sent
            assert read(sent) == sent, "what is sent is an address as well"
        assert said.strip()
        assert "\n" not in said


@settings(deadline=None, max_examples=200)
@given(ADDRESS)
def test_the_host_that_is_sent_is_ascii(text: str) -> None:
    for read in READERS[:4]:
        try:
            assert read(text).isascii()
        except hosts.AddressInvalid:
            continue


@settings(deadline=None, max_examples=300)
@given(CELLS.map("".join))
def test_a_csv_file_of_any_text_is_read_or_has_problems_with_places_in_it(text: str) -> None:
    problems = Problems()
    table = read_table(text, "a.csv", problems)
    lines = text.count("\n") + text.count("\r") + 1
    assert all(1 <= one.line <= lines and one.column >= 1 for one in problems.listed())
    assert table is not None or len(problems)
    for row in table.rows if table is not None else ():
        assert all(cell.text == cell.text.strip() != "" for cell in row.cells.values())
