"""The courier of a process: web hooks by itself, all else by services."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.addresses import Address
from orchestrator.courier import services
from orchestrator.courier.base import Parcel, Receipt


@dataclass(frozen=True, slots=True)
class Couriers:
    """Implements :class:`orchestrator.courier.base.Courier`. ``ca_file`` has certificates to trust too."""

    ca_file: str | None = None

    def check(self, address: Address) -> None:
        """Raise ``UsageProblem`` for an address to which nothing can be carried."""
        if not address.is_hook:
            services.check(address)

    async def carry(self, address: Address, parcel: Parcel) -> Receipt:
        """Try once."""
        if not address.is_hook:
            return await services.tell(address, parcel)
        from orchestrator.courier import hook  # noqa: PLC0415 - who has no web hook needs no HTTP client

        return await hook.post(address, parcel, ca_file=self.ca_file)
