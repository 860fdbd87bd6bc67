"""nginx in front of the pages, as docs/serve.md has it: it understands the file, and lets in whom it names.

Without nginx these tests are skipped.
"""

from __future__ import annotations

import base64
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import trustme
from documentation import ROOT
from web_site import site_over

from orchestrator.web.guard import terms_of

NGINX = shutil.which("nginx") or next((one for one in ("/usr/sbin/nginx",) if Path(one).exists()), None)
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

NAME = "pages.example.com"


def _server_block() -> str:
    text = (ROOT / "docs" / "serve.md").read_text("utf-8")
    found = re.search(r"```nginx\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def _config(folder: Path, port: int, behind: str) -> Path:
    """The file of the document at places of this test; nothing else of it is changed."""
    authority = trustme.CA()
    authority.issue_cert(NAME).private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    (folder / "htpasswd").write_text("ann:{PLAIN}secret\n")
    block = _server_block()
    for what, by in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/pages.example.com.pem", f"{folder}/server.pem"),
        ("/etc/ssl/pages.example.com.key", f"{folder}/server.pem"),
        ("/etc/nginx/orchestrator.htpasswd", f"{folder}/htpasswd"),
        ("http://127.0.0.1:8090", behind),
    ):
        assert what in block
        block = block.replace(what, by)
    temporary = "".join(
        f"{what}_temp_path {folder}/{what};\n"
        for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{block}}}\n"
    )
    return file


def _nginx(folder: Path, file: Path, *words: str) -> list[str]:
    assert NGINX is not None
    return [NGINX, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(file), *words]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_nginx_understands_the_file_of_the_document(tmp_path: Path) -> None:
    file = _config(tmp_path, _free_port(), "http://127.0.0.1:8090")
    done = subprocess.run(_nginx(tmp_path, file, "-t"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


@contextmanager
def _running(folder: Path, file: Path, port: int) -> Iterator[None]:
    process = subprocess.Popen(_nginx(folder, file), stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 60
        while True:
            assert process.poll() is None, process.stderr.read() if process.stderr else b""
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < end
            time.sleep(0.05)  # another process begins to listen, and tells nobody
        yield
    finally:
        process.terminate()
        process.wait(30)
        if process.stderr is not None:
            process.stderr.close()


async def test_whom_nginx_knows_is_let_in_and_nobody_else(tmp_path: Path) -> None:
    port = _free_port()
    terms = terms_of("127.0.0.1", user_header="X-Remote-User", names=[NAME])
    async with site_over(tmp_path, terms) as origin:
        file = _config(tmp_path, port, origin)
        tls = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        ann = {"Authorization": f"Basic {base64.b64encode(b'ann:secret').decode()}"}
        connector = aiohttp.TCPConnector(resolver=_Here())
        with _running(tmp_path, file, port):
            async with aiohttp.ClientSession(connector=connector) as client:
                pages = f"https://{NAME}:{port}"
                for headers, path, status in (
                    (ann, "/", 200),
                    (ann, "/runs/aa02", 200),
                    ({}, "/", 401),
                    ({"X-Remote-User": "ann"}, "/", 401),
                    ({**ann, "X-Remote-User": "root"}, "/", 200),
                    ({"X-Remote-User": "ann"}, "/hooks/none", 403),
                ):
                    async with client.get(f"{pages}{path}", headers=headers, ssl=tls) as answer:
                        assert answer.status == status, (headers, path)
                async with client.post(f"{pages}/hooks/none", data=b"{}", ssl=tls) as answer:
                    assert (answer.status, answer.headers["Server"][:5]) == (404, "nginx")
        # Not by way of nginx, and without a user.
        async with aiohttp.ClientSession() as client, client.get(origin) as answer:
            assert answer.status == 403
        assert urlsplit(origin).hostname == "127.0.0.1"


class _Here(aiohttp.abc.AbstractResolver):
    """Every name is this host."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": port,
                "family": family,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        """Nothing is held."""
