"""Issue 9, number 15: CSV files as people have them, with the row's columns as data of the plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import PlanInvalid
from orchestrator.expand import expand
from orchestrator.model import Agent, Api, JsonObject, Target
from orchestrator.plan.load import parse_bundle
from orchestrator.plan.model import Plan

OneTest = Callable[..., str]
MakeAgent = Callable[..., Agent]
Read = Callable[..., Plan]
Refused = Callable[..., list[str]]
WEB = [Target("a", {"url": "https://a.example"}), Target("b", {"url": "https://b.example"})]


@pytest.fixture
def read(parse: Callable[..., Plan], one_test: OneTest, tmp_path: Path) -> Read:
    """A plan whose targets are a CSV file with this text."""

    def build(text: str | bytes, *more: str, beside: str = "", **keywords: Any) -> Plan:
        (tmp_path / "sites.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        api = keywords.pop("api", None)
        keywords.setdefault("targets", f"[{{csv: sites.csv{beside}}}]")
        return parse(one_test(*more, **keywords), folder=tmp_path, api=api)

    return build


@pytest.fixture
def refused(read: Read) -> Refused:
    """The problems of such a plan."""

    def build(*given: Any, **keywords: Any) -> list[str]:
        with pytest.raises(PlanInvalid) as caught:
            read(*given, **keywords)
        return [str(problem) for problem in caught.value.problems]

    return build


@pytest.mark.parametrize(
    "text",
    [
        "name,url\na,https://a.example\nb,https://b.example\n",
        "Name,URL\na,https://a.example\nb,https://b.example\n",
        "URL;NAME\nhttps://a.example;a\nhttps://b.example;b\n",
        "name\turl\na\thttps://a.example\nb\thttps://b.example\n",
        "sep=;\nname;url\na;https://a.example\nb;https://b.example\n",
        '"sep=|"\r\nname|url\r\na|https://a.example\r\nb|https://b.example\r\n',
        "SEP=,\r\nname,url\r\na,https://a.example\r\nb,https://b.example\r\n",
        "name,url,,\na,https://a.example,,\nb,https://b.example\n",
        "name,,url\na,,https://a.example\nb,,https://b.example\n",
        'name, url\n"a", "https://a.example"\n b , https://b.example \n,,\n',
        "\ufeffname,url\r\n\r\na,https://a.example\r\nb,https://b.example",
    ],
)
@pytest.mark.parametrize("api", Api)
def test_a_file_as_spreadsheets_and_people_write_it_is_read(read: Read, text: str, api: Api) -> None:
    assert list(read(text, api=api).tests[0].targets) == WEB
    assert read(text, api=api).notes == ()


@pytest.mark.parametrize(
    ("line", "separator"), [("", "\t"), ("", ";"), ("sep=;\n", ";"), ("sep=:\n", ":"), ("sep=\t\n", "\t")]
)
def test_places_count_lines_and_columns_whatever_the_separator(
    refused: Refused, line: str, separator: str
) -> None:
    rows = [("name", "server"), ("ab", "10.0.0.300")]
    text = line + "\n".join(separator.join(row) for row in rows)
    (problem,) = refused(text, type="agent-to-server")
    assert problem.startswith(f"sites.csv:{3 if line else 2}:4: server '10.0.0.300' is no IPv4 address")


@pytest.mark.parametrize("api", Api)
def test_an_empty_cell_of_a_field_that_is_not_needed_is_as_good_as_absent(read: Read, api: Api) -> None:
    plan = read("name,url,httpTimeLimit\na,https://a.example,7\n,https://b.example,\n", api=api)
    assert plan.tests[0].targets == (
        Target("a", {"url": "https://a.example", "httpTimeLimit": 7}),
        Target("https://b.example", {"url": "https://b.example"}),
    )


class TestColumnsAsData:
    def test_what_nothing_uses_is_ignored_and_said_once(self, read: Read) -> None:
        rows = "".join(f"n{n},https://n{n}.example,Ann,{n}\n" for n in range(50))
        plan = read("name,url,owner,floor\n" + rows)
        assert plan.tests[0].targets[7] == Target("n7", {"url": "https://n7.example"})
        (note,) = plan.notes
        assert note.startswith("sites.csv:1:10: columns 'owner', 'floor' are not used; ${row.owner} in")

    def test_a_column_that_is_almost_an_option_is_named(self, read: Read) -> None:
        (note,) = read("name,url,httpTimeLmit\na,https://a.example,9\n").notes
        assert "column 'httpTimeLmit' is not used ('httpTimeLmit', did you mean 'httpTimeLimit'?)" in note

    @pytest.mark.parametrize("api", Api)
    def test_names_and_options_take_columns_of_the_row(self, read: Read, agent: MakeAgent, api: Api) -> None:
        plan = read(
            "Site,URL,Owner,limit\nparis,https://a.example,Ann,7\noslo,https://b.example,,\n",
            "options: {description: 'of ${row.owner}', httpTimeLimit: '${row.limit}', userAgent: x}",
            beside=", name: '${row.site}/${row.OWNER}'",
            api=api,
        )
        specs = expand(plan, [agent("1")]).specs
        assert [spec.target for spec in specs] == ["paris/Ann", "oslo/"]
        wanted: JsonObject = {"url": "https://a.example", "description": "of Ann", "httpTimeLimit": 7}
        assert specs[0].fields == {**wanted, "userAgent": "x"}
        assert specs[1].fields == {"url": "https://b.example", "description": "of ", "userAgent": "x"}
        assert plan.notes == ()

    def test_an_address_can_be_made_of_columns_and_is_looked_at_like_any_other(
        self, read: Read, refused: Refused
    ) -> None:
        beside = ", name: '${row.host}', url: 'https://${row.host}/health'"
        assert read("host\na.example\n", beside=beside).tests[0].targets == (
            Target("a.example", {"url": "https://a.example/health"}),
        )
        (problem,) = refused("host\na.example:99999\n", beside=beside)
        assert problem == "sites.csv:2:1: url: a port is from 1 to 65535, not '99999'"

    def test_lists_and_mappings_inside_an_option_are_filled_too(self, read: Read) -> None:
        plan = read(
            "url,team\nhttps://a.example,red\n",
            "options: {headers: ['X-Team: ${row.team}'], customHeaders: {root: {X-Team: '${row.team}'}}}",
        )
        fields = plan.tests[0].targets[0].fields
        assert fields["headers"] == ["X-Team: red"]
        assert fields["customHeaders"] == {"root": {"X-Team": "red"}}

    def test_a_target_s_own_column_wins_over_an_option_of_the_test(self, read: Read) -> None:
        plan = read(
            "url,description,owner\nhttps://a.example,its own,Ann\n",
            "options: {description: '${row.owner}'}",
        )
        assert plan.tests[0].targets[0].fields["description"] == "its own"

    def test_what_fills_an_option_is_checked_where_it_is_written(self, refused: Refused) -> None:
        (problem,) = refused("url,t\nhttps://a.example,99\n", "options: {httpTimeLimit: '${row.t}'}")
        assert problem == "sites.csv:2:19: httpTimeLimit is from 5 to 60, not '99'"

    def test_a_cell_is_data_and_refers_to_nothing(self, read: Read) -> None:
        plan = read("url,x\nhttps://a.example,${env:HOME} ${row.url}\n", "options: {description: '${row.x}'}")
        assert plan.tests[0].targets[0].fields["description"] == "${env:HOME} ${row.url}"

    def test_two_characters_that_are_meant_as_such_stay(self, read: Read) -> None:
        plan = read("url,x\nhttps://a.example,1\n", "options: {description: '$${row.x} ${row.x}'}")
        assert plan.tests[0].targets[0].fields["description"] == "${row.x} 1"

    def test_an_unknown_column_is_told_once_however_many_rows(self, refused: Refused) -> None:
        rows = "".join(f"https://n{n}.example,x\n" for n in range(20))
        (problem,) = refused("url,owner\n" + rows, "options: {description: '${row.ownr}'}")
        assert problem == "plan.yaml:8:28: sites.csv has no column 'ownr', did you mean 'owner'?"

    def test_a_file_for_several_types_has_what_each_needs(self, read: Read) -> None:
        plan = read(
            "name,url,server,httpTimeLimit,type\na,https://a.example,a.example:80,9,shop\n",
            type="agent-to-server",
        )
        assert plan.tests[0].targets == (Target("a", {"server": "a.example:80"}),)
        assert plan.notes[0].startswith("sites.csv:1:6: columns 'url', 'httpTimeLimit', 'type' are not used")

    def test_a_stored_plan_reads_the_same_rows(self, read: Read) -> None:
        plan = read("url,o\nhttps://a.example,x\n", "options: {description: '${row.o}'}")
        assert parse_bundle(plan.bundle(), environ={}) == plan


class TestPorts:
    @pytest.mark.parametrize(
        ("row", "server"),
        [
            ("a.example,443", "a.example:443"),
            ("a.example,", "a.example"),
            ("a.example:443,443", "a.example:443"),
            ("2001:db8::1,443", "[2001:db8::1]:443"),
            ("[2001:db8::1],443", "[2001:db8::1]:443"),
        ],
    )
    @pytest.mark.parametrize("api", Api)
    def test_server_and_port_may_stand_in_two_columns(
        self, read: Read, row: str, server: str, api: Api
    ) -> None:
        plan = read(f"Server,Port\n{row}\n", type="agent-to-server", api=api)
        assert plan.tests[0].targets[0].fields == {"server": server}

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            ("a.example:80,443", "more than one port: 'a.example:80:443'"),
            ("a.example,https", "https is 443"),
            ("a.example,0", "from 1 to 65535"),
        ],
    )
    def test_ports_that_cannot_be_are_told_at_the_server(self, refused: Refused, row: str, why: str) -> None:
        (problem,) = refused(f"name,server,port\nx,{row}\n", type="agent-to-server")
        assert problem.startswith("sites.csv:2:3: server")
        assert why in problem


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("name,link\na,https://a.example\n", "1:1: sites.csv has no column 'url', which http-server needs"),
        ("a,https://a.example\n", "1:1: the first row names the columns"),
        ("name,url\n", "1:1: the file has a header row and no other rows"),
        ("name,Name,url\na,b,https://a.example\n", "1:6: column 'Name' is there twice"),
        ("name,url\na;https://a.example\n", "2:1: this row has 1 cells, the header has 2 columns; it seems"),
        ("name,url\na,https://a.example/?x=1,2\n", "2:26: this row has 3 cells"),
        ("name,,url\na,x,https://a.example\n", "1:6: a column without a name"),
        (b"PK\x03\x04\xff\xff", "1:1: the file is a workbook (or another archive), not text"),
        ("name,url\na,x\n".encode("utf-16"), "1:1: the file is UTF-16 text; save it as UTF-8"),
        ("", "1:1: the file has no header row"),
        ("sep=;\n", "1:1: the file has no header row"),
    ],
)
def test_a_hint_names_the_real_cause_once(refused: Refused, text: str | bytes, cause: str) -> None:
    (problem,) = refused(text)
    assert problem.startswith(f"sites.csv:{cause}")


class TestAgents:
    @pytest.mark.parametrize(
        "text",
        [
            "id,site\n1,x\n2,y\n",
            "Agent Name;Agent ID\nbranch-1;1\nbranch-2;2\n",
            "name\nBranch-1\nbranch-2\n",
        ],
    )
    @pytest.mark.parametrize("where", ["{csv: a.csv}", "[{csv: a.csv}]", "offices"])
    def test_agents_come_from_a_file_by_id_or_by_name(
        self, read: Read, agent: MakeAgent, tmp_path: Path, text: str, where: str
    ) -> None:
        (tmp_path / "a.csv").write_text(text)
        plan = read(
            "",
            agents=where,
            targets="['https://a.example']",
            top="agents: {offices: {csv: a.csv}}" if where == "offices" else "",
        )
        assert expand(plan, [agent("1"), agent("2"), agent("3")]).specs[0].agents == ("1", "2")

    def test_a_name_in_a_file_is_no_pattern(self, read: Read, agent: MakeAgent, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("name\nlab [1]\n")
        plan = read("", agents="{csv: a.csv}", targets="['https://a.example']")
        agents = [agent("1", name="lab [1]"), agent("2", name="lab 1")]
        assert expand(plan, agents).specs[0].agents == ("1",)

    def test_one_that_is_not_there_is_told_at_its_cell(
        self, read: Read, agent: MakeAgent, tmp_path: Path
    ) -> None:
        (tmp_path / "a.csv").write_text("name,id\nbranch-1,1\nbranhc-2,\nx,77\n")
        plan = read("", agents="{csv: a.csv}", targets="['https://a.example']")
        with pytest.raises(PlanInvalid) as caught:
            expand(plan, [agent("1"), agent("2")])
        assert [str(one).split(": ", 1)[0] for one in caught.value.problems] == ["a.csv:3:1", "a.csv:4:3"]
        assert "no agent has the name 'branhc-2', did you mean 'branch-2'?" in str(caught.value.problems[0])

    def test_an_id_and_a_name_that_are_two_agents_are_told_at_the_name(
        self, read: Read, agent: MakeAgent, tmp_path: Path
    ) -> None:
        (tmp_path / "a.csv").write_text("id,name\n1,Branch-1\n2,branch-1\n")
        plan = read("", agents="{csv: a.csv}", targets="['https://a.example']")
        with pytest.raises(PlanInvalid) as caught:
            expand(plan, [agent("1", name="branch-1"), agent("2", name="branch-2")])
        (problem,) = caught.value.problems
        assert str(problem).startswith("a.csv:3:3: ")
        assert str(problem).endswith("the agent 2 is 'branch-2', not 'branch-1'")

    def test_one_that_is_there_twice_is_told(self, refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("id\n1\n1\n")
        (problem,) = refused("", agents="{csv: a.csv}", targets="['https://a.example']")
        assert problem == "a.csv:3:1: the selector has the agent '1' twice, first in line 2"


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ("dnsServers: '${row.dns}'", "a,a.example,9.9.9.9\nb,b.example,\n"),
        ("dnsServers: ['${row.dns}']", "a,a.example,9.9.9.9\nb,b.example,\n"),
        ("dnsServers: '${row.dns}'", "a,a.example,9.9.9.9\nb,b.example,;\n"),
    ],
)
def test_a_row_whose_option_comes_to_nothing_is_told_and_never_left_out(
    refused: Refused, options: str, rows: str
) -> None:
    problems = refused(f"name,domain,dns\n{rows}", f"options: {{{options}}}", type="dns-server")
    assert problems == ["sites.csv:3:1: 'dnsServers' is empty for target 'b', and dns-server needs it"]


@pytest.mark.parametrize(
    ("text", "beside", "server"),
    [
        ("server,port\n2001:db8::443,443\n", "", "[2001:db8::443]:443"),
        ("server\na.example\n", ", port: 443", "a.example:443"),
        ("server,port\na.example,80\n", ", port: 443", "a.example:443"),
        ("host,port\na.example,443\n", ", server: '${row.host}'", "a.example:443"),
        ("host,tcp\n2001:db8::1,443\n", ", server: '${row.host}', port: '${row.tcp}'", "[2001:db8::1]:443"),
        ("host,tcp\na.example,\n", ", server: '${row.host}', port: '${row.tcp}'", "a.example"),
    ],
)
def test_a_port_of_its_own_is_never_lost(read: Read, text: str, beside: str, server: str) -> None:
    (target,) = read(text, type="agent-to-server", beside=beside).tests[0].targets
    assert target == Target(server, {"server": server})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a.example\nb.example\n", "this one seems to be a target already"),
        ("10.0.0.1:443\n10.0.0.2:443\n", "this one seems to be a target already"),
        ("name|url\na|https://a.example\n", "begins with the line 'sep=|'"),
        (
            "# our sites\nname,url\na,https://a.example\n",
            "is the first row, which names the columns, something",
        ),
    ],
)
def test_a_header_that_is_none_is_named_as_the_cause(refused: Refused, text: str, why: str) -> None:
    assert why in refused(text)[0]


def test_a_column_that_another_type_knows_is_no_misspelling(read: Read) -> None:
    (note,) = read("name,url,targetAgentId\na,https://a.example,1\n").notes
    assert "did you mean" not in note
