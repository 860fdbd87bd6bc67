"""What a courier takes and what it says. Who carries notices implements it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from orchestrator.addresses import Address
from orchestrator.model import JsonObject


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is carried: a title and a text for people, a document for programs, and the key that is the same
    each time that it is tried."""

    title: str
    text: str
    document: JsonObject
    key: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one try. ``said`` is for people and has no address in it.

    ``doubtful``: it may have been taken all the same. ``again``: another try is worth it.
    """

    taken: bool
    said: str
    doubtful: bool = False
    again: bool = False


class Courier(Protocol):
    """Carries notices. Neither method says anything of an address but the name of its channel."""

    def check(self, address: Address) -> None:
        """Raise ``UsageProblem`` for an address to which nothing can be carried."""

    async def carry(self, address: Address, parcel: Parcel) -> Receipt:
        """Try once, which takes ten seconds at most. What fails is in the receipt."""
