from __future__ import annotations

import pytest

from orchestrator.thousandeyes.proxy import proxy_for

NAME, ADDRESS = "https://api.thousandeyes.com", "https://10.1.2.3:8443"


@pytest.mark.parametrize(
    ("origin", "exempt"),
    [
        (NAME, "api.thousandeyes.com:443"),
        (NAME, "*.thousandeyes.com"),
        (NAME, ".thousandeyes.com"),
        (NAME, "thousandeyes.com:443"),
        (NAME, "localhost thousandeyes.com"),
        (NAME, "localhost,\tAPI.ThousandEyes.com ,x"),
        (NAME, "*"),
        (f"{NAME}/gateway/te", "api.thousandeyes.com"),
        (ADDRESS, "10.0.0.0/8"),
        (ADDRESS, "10.1.2.3"),
        (ADDRESS, "10.1.2.3:8443"),
        (ADDRESS, "192.168.0.0/16, 10.1.2.0/24"),
        ("https://[fd00::7]", "fd00::/8"),
        ("https://[fd00::7]", "[fd00::7]:443"),
        ("https://[fd00::7]", "[fd00::7]"),
    ],
)
def test_a_host_that_no_proxy_names_is_reached_directly(origin: str, exempt: str) -> None:
    assert proxy_for(origin, {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": exempt}) is None


@pytest.mark.parametrize(
    ("origin", "exempt"),
    [
        (NAME, ""),
        (NAME, "api.thousandeyes.com:8443"),
        (NAME, "*.example.com"),
        (NAME, "eyes.com"),
        (NAME, "10.0.0.0/8"),
        (ADDRESS, "11.0.0.0/8"),
        (ADDRESS, "10.1.2.3:443"),
        (ADDRESS, "10.1.2.0/33"),
        (NAME, ", . *. :443 []"),
    ],
)
def test_every_other_host_is_reached_by_the_proxy(origin: str, exempt: str) -> None:
    found = proxy_for(origin, {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": exempt})
    assert found is not None
    assert found.url == "http://proxy.example:3128"
