"""Scheduled tests made of instant ones: what is written is what the vendor's models and Terraform take."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import thousandeyes_sdk.tests.models as vendor
from full_specs import full_spec
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model import Json, Spec
from orchestrator.report.promotion import Promoted, promotion_text
from orchestrator.report.terraform import snake, terraform_text
from orchestrator.safe import MASK
from orchestrator.testtypes import TEST_TYPES
from orchestrator.thousandeyes.scheduled import INTERVALS, create_scheduled, scheduled_body

HERE = Path(__file__).parent
STUB = HERE.parent / "support" / "terraform_stub.py"
# What the vendor calls the types in its models.
MODELS = {
    "agent-to-agent": "AgentToAgent",
    "agent-to-server": "AgentToServer",
    "api": "Api",
    "dns-server": "DnsServer",
    "dns-trace": "DnsTrace",
    "dnssec": "DnsSec",
    "ftp-server": "FtpServer",
    "http-server": "HttpServer",
    "page-load": "PageLoad",
    "sip-server": "SipServer",
    "voice": "Voice",
    "web-transactions": "WebTransaction",
}


@pytest.fixture(params=[*TEST_TYPES])
def spec(request: pytest.FixtureRequest) -> Spec:
    """One of each type, with every option."""
    return full_spec(request.param)


def promoted(spec: Spec, name: str | None = None) -> Promoted:
    body = scheduled_body(spec, name or f"plan: {spec.test} {spec.target}", 300, alerts=True, enabled=True)
    path = create_scheduled(spec.type, body, None).path
    return Promoted(spec.key, spec.test, spec.type, spec.target, path, body, 1.0)


def test_the_vendors_model_of_a_scheduled_test_takes_every_field(spec: Spec) -> None:
    one = promoted(spec)
    model = getattr(vendor, f"{MODELS[spec.type]}TestRequest")
    known = {field.alias or name for name, field in model.model_fields.items()}
    assert one.body.keys() <= known
    assert json.loads(model.from_dict(one.body).to_json())["interval"] == 300
    assert one.path == f"/v7/tests/{spec.type}"


def test_the_intervals_are_those_that_the_vendor_lists() -> None:
    assert {*INTERVALS} == {one.value for one in vendor.TestInterval} - {
        11184809
    }  # the value of what is not known


def test_secrets_are_masked_unless_they_are_asked_for(spec: Spec) -> None:
    one = promoted(spec)
    shown, whole = (
        json.loads(promotion_text([one], secrets=False)),
        json.loads(promotion_text([one], secrets=True)),
    )
    assert whole == one.body
    secret = {path[0] for path in one.secrets()}
    assert {name for name in whole if whole[name] != shown[name]} == secret
    known = {path[0] for path in TEST_TYPES[spec.type].secrets()}
    assert known <= secret
    assert (MASK in json.dumps(shown)) == bool(secret)


def test_several_tests_are_one_document_with_an_address_for_each() -> None:
    told = json.loads(
        promotion_text([promoted(full_spec("dnssec")), promoted(full_spec("voice"))], secrets=False)
    )
    assert [one["path"] for one in told["tests"]] == ["/v7/tests/dnssec", "/v7/tests/voice"]
    assert told["schema"] == 1


def test_no_secret_stands_in_terraform(spec: Spec) -> None:
    one = promoted(spec)
    text = terraform_text([one])
    values = [found for path in one.secrets() if isinstance(found := inside(one.body, path), str)]
    assert not [value for value in values if len(value) > 3 and json.dumps(value) in text]
    assert text.count("sensitive = true") == len({*one.secrets()})


def inside(value: Json, path: tuple[str, ...]) -> Json:
    """What stands there."""
    for part in path:
        if isinstance(value, list):
            value = value[int(part)]
        else:
            assert isinstance(value, dict)
            value = value[part]
    return value


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("httpTimeLimit", "http_time_limit"),
        ("sslVersionId", "ssl_version_id"),
        ("usePublicBGP", "use_public_bgp"),
        ("oAuth", "oauth"),
        ("url", "url"),
    ],
)
def test_a_field_is_spelled_as_the_provider_does(name: str, there: str) -> None:
    assert snake(name) == there


@given(st.text(alphabet='\\\\bfu"$%{\b\f\n\x7f\x85', max_size=8))
def test_a_text_of_terraform_is_the_text_that_was_meant(text: str) -> None:
    spec = replace(full_spec("http-server"), fields={"url": text})
    line = next(line for line in terraform_text([promoted(spec)]).splitlines() if line.startswith("  url "))
    read = json.loads(line.partition(" = ")[2].replace("$${", "${").replace("%%{", "%{"))
    assert read == text


@given(st.lists(st.text(max_size=12), min_size=2, max_size=5))
def test_no_two_resources_have_one_name(names: list[str]) -> None:
    spec = full_spec("dnssec")
    lines = terraform_text([promoted(spec, name) for name in names]).splitlines()
    heads = [line for line in lines if line.startswith("resource ")]
    assert len({*heads}) == len(names)


REQUIRED = """terraform {
  required_providers {
    thousandeyes = { source = "thousandeyes/thousandeyes" }
  }
}
"""
terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder whose Terraform takes the stub for the vendor's provider."""
    plugins, folder = tmp_path / "plugins", tmp_path / "here"
    plugins.mkdir()
    folder.mkdir()
    program = plugins / "terraform-provider-thousandeyes"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {STUB} {HERE / 'provider.json'}\n", "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "rc").write_text(
        f'provider_installation {{\n  dev_overrides {{ "thousandeyes/thousandeyes" = "{plugins}" }}\n}}\n',
        "utf-8",
    )
    (folder / "provider.tf").write_text(REQUIRED, "utf-8")
    return folder


def asked(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TF_CLI_CONFIG_FILE": str(folder.parent / "rc"),
        "TF_DISABLE_PLUGIN_TLS": "1",
        "CHECKPOINT_DISABLE": "1",
    }
    command = ["terraform", *words]
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)


@terraform
def test_terraform_takes_every_type_with_every_option_as_it_formats_it(workspace: Path) -> None:
    specs = [full_spec(name) for name in TEST_TYPES]
    # Two that the provider refuses together, and a name that is none.
    specs = [replace(one, fields={k: v for k, v in one.fields.items() if k != "headers"}) for one in specs]
    (workspace / "main.tf").write_text(terraform_text([promoted(one) for one in specs]), "utf-8")
    said = asked(workspace, "validate", "-no-color")
    assert said.returncode == 0, said.stderr
    formatted = asked(workspace, "fmt", "-check", "-diff", "main.tf")
    assert formatted.returncode == 0, formatted.stdout


@terraform
def test_terraform_with_this_provider_refuses_an_argument_that_there_is_not(workspace: Path) -> None:
    text = terraform_text([promoted(full_spec("dnssec"))])
    (workspace / "main.tf").write_text(text.replace("domain ", "domains"), "utf-8")
    said = asked(workspace, "validate", "-no-color")
    assert said.returncode == 1
    assert "domain" in said.stderr
