"""The vendor's SDK takes the simulator for the API: its models read every answer."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import thousandeyes_sdk.agents as sdk_agents
import thousandeyes_sdk.instant_tests as sdk_instant
import thousandeyes_sdk.snapshots as sdk_snapshots
import thousandeyes_sdk.test_results as sdk_results
import thousandeyes_sdk.usage as sdk_usage
from thousandeyes_sdk.core.exceptions import (
    BadRequestException,
    NotFoundException,
    TooManyRequestsException,
    UnauthorizedException,
)

# type -> (SDK class, method, request class, fields)
CREATIONS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "agent-to-server": (
        "AgentToServerInstantTestsApi",
        "create_agent_to_server_instant_test",
        "AgentToServerInstantTestRequest",
        {"server": "www.example.com:443"},
    ),
    "agent-to-agent": (
        "AgentToAgentInstantTestsApi",
        "create_agent_to_agent_instant_test",
        "AgentToAgentInstantTestRequest",
        {"targetAgentId": "1001"},
    ),
    "dns-server": (
        "DNSServerInstantTestsApi",
        "create_dns_server_instant_test",
        "DnsServerInstantTestRequest",
        {"domain": "www.example.com A", "dnsServers": ["ns1.example.com", "ns2.example.com"]},
    ),
    "dns-trace": (
        "DNSTraceInstantTestsApi",
        "create_dns_trace_instant_test",
        "DnsTraceInstantTestRequest",
        {"domain": "www.example.com A"},
    ),
    "dnssec": (
        "DNSSECInstantTestsApi",
        "create_dns_sec_instant_test",
        "DnsSecInstantTestRequest",
        {"domain": "example.com"},
    ),
    "http-server": (
        "HTTPServerInstantTestsApi",
        "create_http_server_instant_test",
        "HttpServerInstantTestRequest",
        {"url": "https://www.example.com"},
    ),
    "page-load": (
        "HTTPPageLoadInstantTestsApi",
        "create_page_load_instant_test",
        "PageLoadInstantTestRequest",
        {"url": "https://www.example.com"},
    ),
    "web-transactions": (
        "WebTransactionInstantTestsApi",
        "create_web_transaction_instant_test",
        "WebTransactionInstantTestRequest",
        {"url": "https://www.example.com", "transactionScript": "runScript();"},
    ),
    "api": (
        "APIInstantTestsApi",
        "create_api_instant_test",
        "ApiInstantTestRequest",
        {
            "url": "https://api.example.com",
            "requests": [{"name": "Step 1", "url": "https://api.example.com"}],
        },
    ),
    "ftp-server": (
        "FTPServerInstantTestsApi",
        "create_ftp_server_instant_test",
        "FtpServerInstantTestRequest",
        {
            "url": "ftp://ftp.example.com",
            "username": "reader",
            "password": "made-up",
            "requestType": "download",
        },
    ),
    "sip-server": (
        "SIPServerInstantTestsApi",
        "create_sip_server_instant_test",
        "SipServerInstantTestRequest",
        {"targetSipCredentials": {"port": 5060, "sipRegistrar": "sip.example.com", "protocol": "udp"}},
    ),
    "voice": (
        "VoiceInstantTestsApi",
        "create_voice_instant_test",
        "VoiceInstantTestRequest",
        {"targetAgentId": "1001"},
    ),
}

# layer -> (SDK class, method), and a metric that a good row has.
READS: dict[str, tuple[str, str, str]] = {
    "network": ("NetworkTestResultsApi", "get_test_network_results", "avg_latency"),
    "path-vis": ("NetworkTestResultsApi", "get_test_path_vis_results", "path_traces"),
    "http-server": ("WebHTTPServerTestResultsApi", "get_test_http_server_results", "response_code"),
    "page-load": ("WebPageLoadTestResultsApi", "get_test_page_load_results", "page_load_time"),
    "web-transactions": (
        "WebTransactionsTestResultsApi",
        "get_test_web_transaction_results",
        "transaction_time",
    ),
    "api": ("APITestResultsApi", "get_test_api_results", "api_transaction_time"),
    "ftp-server": ("WebFTPServerTestResultsApi", "get_test_ftp_server_results", "total_time"),
    "dns-server": ("DNSServerTestResultsApi", "get_test_dns_servers_results", "resolution_time"),
    "dns-trace": ("DNSTraceTestResultsApi", "get_test_dns_trace_results", "final_query_time"),
    "dnssec": ("DNSSECTestResultsApi", "get_test_dns_sec_results", "is_valid"),
    "sip-server": ("VoiceSIPServerTestResultsApi", "get_test_sip_server_results", "availability"),
    "rtp-server": ("VoiceRTPServerTestResultsApi", "get_test_rtp_server_results", "mos"),
}

LAYERS = {
    "agent-to-server": ("network", "path-vis"),
    "agent-to-agent": ("network", "path-vis"),
    "dns-server": ("dns-server", "network", "path-vis"),
    "dns-trace": ("dns-trace",),
    "dnssec": ("dnssec",),
    "http-server": ("http-server", "network", "path-vis"),
    "page-load": ("page-load", "http-server", "network", "path-vis"),
    "web-transactions": ("web-transactions", "network", "path-vis"),
    "api": ("api", "network", "path-vis"),
    "ftp-server": ("ftp-server", "network", "path-vis"),
    "sip-server": ("sip-server", "network", "path-vis"),
    "voice": ("rtp-server", "network", "path-vis"),
}


def creation(type_name: str, client: Any, agents: list[str], **more: Any) -> tuple[Any, Any]:
    """The SDK's method and its request for one type."""
    api, method, model, fields = CREATIONS[type_name]
    body = {**fields, **more, "agents": [{"agentId": agent} for agent in agents]}
    return getattr(getattr(sdk_instant, api)(client), method), getattr(sdk_instant, model).from_dict(body)


async def read_until(vendor: Any, method: Any, test_id: str, rows: int) -> Any:
    """Poll until so many rows are there; results come within some milliseconds."""
    for _ in range(100):
        found = await vendor.call(method, test_id)
        if len(found.results or []) >= rows:
            return found
        await asyncio.sleep(0.02)
    pytest.fail(f"{len(found.results or [])} of {rows} rows came from {method.__name__}")


@pytest.mark.parametrize("type_name", list(CREATIONS))
async def test_the_sdk_creates_a_test_of_this_type_and_reads_all_its_layers(
    type_name: str, open_vendor: Any
) -> None:
    async with open_vendor() as vendor:
        create, request = creation(type_name, vendor.client, ["3", "1005"], testName="from the SDK")
        created = await vendor.call(create, request)
        assert created.test_id in vendor.service.witness()["creations"][0]["test_id"]
        assert created.type == type_name
        assert created.test_name == "from the SDK"
        assert not created.model_extra, "keys that the SDK does not know"
        assert created.links.var_self.href.endswith(created.test_id)
        assert vendor.service.witness()["unknown_fields"] == []
        for layer in LAYERS[type_name]:
            api, method, metric = READS[layer]
            # Two agents; a test of two name servers has a row for each of them in every layer.
            wanted = 4 if type_name == "dns-server" else 2
            found = await read_until(
                vendor, getattr(getattr(sdk_results, api)(vendor.client), method), created.test_id, wanted
            )
            assert len(found.results) == wanted, layer
            assert {row.agent.agent_id for row in found.results} == {"3", "1005"}, layer
            assert all(getattr(row, metric) is not None for row in found.results), (layer, metric)
            assert all(row.round_id and row.var_date for row in found.results), layer
            assert all(not row.model_extra for row in found.results), (
                layer,
                "keys that the SDK does not know",
            )
            assert found.test.test_id == created.test_id


async def test_the_sdk_runs_a_test_again_and_sees_a_newer_round(open_vendor: Any) -> None:
    async with open_vendor() as vendor:
        create, request = creation("http-server", vendor.client, ["3"])
        created = await vendor.call(create, request)
        read = sdk_results.WebHTTPServerTestResultsApi(vendor.client).get_test_http_server_results
        first = (await read_until(vendor, read, created.test_id, 1)).results[0].round_id
        await vendor.call(sdk_instant.InstantTestsApi(vendor.client).run_instant_test, created.test_id)
        for _ in range(100):
            newest = (await vendor.call(read, created.test_id)).results[0].round_id
            if newest != first:
                break
            await asyncio.sleep(0.02)
        assert newest > first
        everything = await vendor.call(read, created.test_id, window="1h")
        assert {row.round_id for row in everything.results} == {first, newest}


async def test_the_sdk_lists_all_agents_with_members_of_clusters(open_vendor: Any) -> None:
    async with open_vendor(all_online=False) as vendor:
        api = sdk_agents.CloudAndEnterpriseAgentsApi(vendor.client)
        expand = [sdk_agents.AgentListExpand.CLUSTER_MINUS_MEMBER]
        listed = await vendor.call(api.get_agents, expand=expand)
        agents = [item.actual_instance for item in listed.agents]
        assert len(agents) == 62
        kinds = {agent.agent_type.value for agent in agents}
        assert kinds == {"cloud", "enterprise", "enterprise-cluster"}
        offline = next(agent for agent in agents if agent.agent_name == "branch-07-madrid")
        assert offline.model_extra["agentState"] == "offline"
        cluster = next(agent for agent in agents if agent.agent_name == "dc-ashburn")
        assert [member["agentState"] for member in cluster.model_extra["clusterMembers"]] == [
            "online",
            "offline",
        ]
        one = await vendor.call(api.get_agent, "1001")
        assert one.actual_instance.agent_name == "hq-london"


async def test_the_sdk_follows_pages_to_the_last_row(open_vendor: Any) -> None:
    async with open_vendor(page_size=3) as vendor:
        agents = [str(number) for number in range(3, 13)]
        create, request = creation("agent-to-server", vendor.client, agents)
        created = await vendor.call(create, request)
        api = sdk_results.NetworkTestResultsApi(vendor.client)

        def all_rows() -> list[Any]:
            return list(api.get_test_network_results_paginated(created.test_id))

        for _ in range(100):
            rows = await vendor.call(all_rows)
            if len(rows) == len(agents):
                break
            await asyncio.sleep(0.02)
        assert sorted(row.agent.agent_id for row in rows) == sorted(agents)


async def test_the_sdk_reads_the_hops_of_a_path(open_vendor: Any) -> None:
    async with open_vendor() as vendor:
        create, request = creation("agent-to-server", vendor.client, ["3"])
        created = await vendor.call(create, request)
        api = sdk_results.NetworkTestResultsApi(vendor.client)
        row = (await read_until(vendor, api.get_test_path_vis_results, created.test_id, 1)).results[0]
        detail = await vendor.call(
            api.get_test_path_vis_agent_round_results, created.test_id, "3", str(row.round_id)
        )
        traces = detail.results[0].path_traces
        assert [trace.path_id for trace in traces] == [trace.path_id for trace in row.path_traces]
        assert traces[0].hops[-1].ip_address == row.server_ip
        assert traces[0].hops[-1].hop == row.path_traces[0].number_of_hops


async def test_the_sdk_reads_error_rows_and_their_texts(open_vendor: Any) -> None:
    async with open_vendor() as vendor:
        create, request = creation("http-server", vendor.client, ["3"], url="https://down.example.com")
        created = await vendor.call(create, request)
        read = sdk_results.WebHTTPServerTestResultsApi(vendor.client).get_test_http_server_results
        row = (await read_until(vendor, read, created.test_id, 1)).results[0]
        assert row.error_type == "Connect"
        assert "down.example.com" in row.error_details
        assert row.total_time is None


async def test_the_sdk_waits_for_our_reset_header_after_a_429_and_then_succeeds(open_vendor: Any) -> None:
    began = time.time()
    refused: list[bool] = []

    def now() -> float:
        """The world stands still until it has refused, and then does not go beyond the next window."""
        return min(time.time(), (began // 2.0 + 1.5) * 2.0) if refused else began

    async with open_vendor(now, instant_limit=2, window=2.0) as vendor:
        take = vendor.service._too_many

        def too_many(*arguments: Any) -> Any:
            refused.append(True)
            return take(*arguments)

        vendor.service._too_many = too_many
        for _ in range(3):
            create, request = creation("dnssec", vendor.client, ["3"])
            await vendor.call(create, request)
        witness = vendor.service.witness()
        assert len(witness["creations"]) == 3
        assert witness["refused_429"]["own"] == 1, "the third creation should have been refused once"
        first, third = witness["creations"][0]["at"], witness["creations"][2]["at"]
        assert int(third / 2) == int(first / 2) + 1, "the SDK should have come back in the next window"


async def test_the_sdk_raises_its_own_exceptions_for_our_refusals(open_vendor: Any) -> None:
    async with open_vendor() as vendor:
        create, request = creation("http-server", vendor.client, ["999999"])
        with pytest.raises(BadRequestException) as refused:
            await vendor.call(create, request)
        assert "agents[0].agentId" in refused.value.body
        with pytest.raises(NotFoundException):
            await vendor.call(sdk_instant.InstantTestsApi(vendor.client).run_instant_test, "12345")
    async with open_vendor(token="another") as vendor:
        create, request = creation("http-server", vendor.client, ["3"])
        with pytest.raises(UnauthorizedException):
            await vendor.call(create, request)


async def test_the_sdk_gives_up_at_the_second_429(open_vendor: Any) -> None:
    async with open_vendor(instant_limit=1, window=3600.0, headers=False) as vendor:
        create, request = creation("dnssec", vendor.client, ["3"])
        await vendor.call(create, request)
        with pytest.raises(TooManyRequestsException):
            await vendor.call(create, request)
        assert vendor.service.witness()["refused_429"]["own"] == 2


async def test_units_and_quotas_are_what_the_models_say(open_vendor: Any) -> None:
    async with open_vendor() as vendor:
        create, request = creation("http-server", vendor.client, ["3", "4"])
        made = await vendor.call(create, request)
        billing = sdk_usage.UsageApi(vendor.client)
        told = (await vendor.call(billing.get_usage)).usage
        assert told.cloud_units_used == 1_250_010
        assert told.quota.cloud_units_included == 5_000_000
        assert told.quota.month_start < told.quota.month_end
        (row,) = (await vendor.call(billing.get_tests_units_usage)).breakdowns
        assert (row.test_id, row.cloud_units_used, row.is_instant_test) == (made.test_id, 10, True)
        (quota,) = (await vendor.call(sdk_usage.QuotasApi(vendor.client).get_quotas)).quotas
        assert quota.organization_quota.value == 5_000_000


async def test_a_snapshot_is_what_the_models_say_and_odd_ones_are_refused(open_vendor: Any) -> None:
    hour = datetime(2026, 11, 27, 3, tzinfo=UTC)

    def request(**changes: Any) -> Any:
        asked = {"displayName": "at night", "startDate": hour, "endDate": hour + timedelta(hours=1)}
        return sdk_snapshots.SnapshotRequest(**{**asked, **changes})

    async with open_vendor((hour + timedelta(hours=1)).timestamp) as vendor:
        tests = sdk_instant.HTTPServerInstantTestsApi(vendor.client)
        agents = [sdk_instant.TestAgentWithSourceIpAddress(agentId="3")]
        wanted = sdk_instant.HttpServerInstantTestRequest(url="https://www.example.com", agents=agents)
        test = await vendor.call(tests.create_http_server_instant_test, wanted)
        snapshots = sdk_snapshots.TestSnapshotsApi(vendor.client)
        for odd in ({"startDate": hour - timedelta(hours=2)}, {"endDate": hour + timedelta(hours=2)}):
            with pytest.raises(BadRequestException):
                await vendor.call(snapshots.create_test_snapshot, test.test_id, request(**odd))
        with pytest.raises(NotFoundException):
            await vendor.call(snapshots.create_test_snapshot, "12", request())
        made = await vendor.call(snapshots.create_test_snapshot, test.test_id, request())
        assert made.source_test_id == test.test_id
        assert made.links.app_link.href.startswith(f"https://{made.id}.share.")
        assert [one["public"] for one in vendor.service.witness()["snapshots"]] == [True]
