"""A provider for Terraform that does nothing: ``validate`` asks it which arguments there are.

``python terraform_stub.py SCHEMA`` speaks Terraform's plugin protocol, version 5, with gRPC. The few messages
that it needs are written by hand: a field is its number and type, its length, and its bytes.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

_TYPES = {
    "String": '"string"',
    "Number": '"number"',
    "Boolean": '"bool"',
    "Set of String": '["set","string"]',
    "Map of String": '["map","string"]',
}
# Numbers of the fields of a schema's attribute that say so, and how nested blocks come.
_USES = {"required": 4, "optional": 5, "read": 6}
_LIST, _SET = 2, 3


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        size, at = _read_varint(data, at)
        if key & 7 == 2:
            yield key >> 3, data[at : at + size]
            at += size


def _block(arguments: Mapping[str, str], blocks: Mapping[str, Mapping[str, str]], above: str = "") -> bytes:
    out = b""
    for name, told in arguments.items():
        use, _, kind = told.partition(" ")
        place = f"{above}--{name}" if above else name
        if kind.startswith("Block"):
            nesting = _SET if "Set" in kind else _LIST
            out += _field(
                3, _field(1, name) + _field(2, _block(blocks[place], blocks, place)) + _field(3, nesting)
            )
        else:
            out += _field(2, _field(1, name) + _field(2, _TYPES[kind]) + _field(_USES[use], 1))
    return out


def provider(resources: Mapping[str, Mapping[str, Mapping[str, object]]]) -> bytes:
    """The schema of a provider without settings of its own."""
    out = _field(1, _field(2, b""))
    for name, one in resources.items():
        schema = _field(2, _block(one["attributes"], one["blocks"]))  # type: ignore[arg-type] # JSON has no types
        out += _field(2, _field(1, f"thousandeyes_{name}") + _field(2, schema))
    return out


def _handlers(service: str, methods: Mapping[str, Callable[[bytes], bytes]]) -> grpc.GenericRpcHandler:
    def handler(method: Callable[[bytes], bytes]) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(lambda request, _: method(request))

    return grpc.method_handlers_generic_handler(
        service, {name: handler(one) for name, one in methods.items()}
    )


def main(schema: Path) -> None:
    told = provider(json.loads(schema.read_text("utf-8"))["resources"])
    done = threading.Event()

    def same_configuration(request: bytes) -> bytes:
        return b"".join(_field(1, value) for number, value in _fields(request) if number == 1)

    def shut_down(_: bytes) -> bytes:
        done.set()
        return b""

    server = grpc.server(ThreadPoolExecutor(4))
    methods: dict[str, Callable[[bytes], bytes]] = {
        "GetSchema": lambda _: told,
        "PrepareProviderConfig": same_configuration,
        "ValidateResourceTypeConfig": lambda _: b"",
        "Stop": lambda _: b"",
    }
    handlers = (
        _handlers("tfplugin5.Provider", methods),
        _handlers("plugin.GRPCController", {"Shutdown": shut_down}),
    )
    server.add_generic_rpc_handlers(handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # How a plugin says where it is: versions of the handshake and of the protocol, then the address.
    print(f"1|5|tcp|127.0.0.1:{port}|grpc|", flush=True)  # noqa: T201 - the handshake
    done.wait()
    server.stop(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
