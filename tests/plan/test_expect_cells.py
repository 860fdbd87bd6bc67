"""What expectations make of cells."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model import Answer, AnswerStatus, CellResult, CellState, Metric, Spec, Verdict
from orchestrator.testtypes import METRICS, TEST_TYPES
from orchestrator.verdict.expect import ExpectationInvalid, Parsed, judge_cell, parse_expectation, parsed

MakeAnswer = Callable[..., Answer]
MakeSpec = Callable[..., Spec]
Judge = Callable[..., CellResult]


@pytest.mark.parametrize(
    ("text", "type_name", "value"),
    [
        ("http-server.totalTime < 2000", "http-server", 2000.0),
        ("http-server.totalTime<2s", "http-server", 2000.0),
        ("  network.loss  <=  1 % ", "voice-less", 1.0),
        ("http-server.throughput > 1.5MB/s", "http-server", 1_500_000.0),
        ("http-server.wireSize < 10 kB", "http-server", 10_000.0),
        ("network.capacity >= 1Gbps", "http-server", 1000.0),
        ("http-server.totalTime < 500us", "http-server", 0.5),
        ("http-server.responseCode == 200", "http-server", 200.0),
        ("network.healthScore > -.5", "http-server", -0.5),
        ("dnssec.isValid == TRUE", "dnssec", True),
        ("http-server.sslVersion == 'TLSv1.3'", "http-server", "TLSv1.3"),
        ("http-server.serverIp != 192.0.2.1", "http-server", "192.0.2.1"),
        ("dns-server.mappings == a b", "dns-server", "a b"),
    ],
)
def test_an_expectation_is_read_into_the_unit_of_its_metric(text: str, type_name: str, value: Metric) -> None:
    kind = type_name if type_name in TEST_TYPES else "http-server"
    assert parse_expectation(text, kind).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "type_name", "message"),
    [
        ("", "http-server", "is not of the form"),
        ("totalTime < 5", "http-server", "is not of the form"),
        ("http-server.totalTime", "http-server", "is not of the form"),
        ("http-server.totalTime <", "http-server", "is compared with nothing"),
        ("http-server.totalTime => 5", "http-server", "did you mean '>='?"),
        ("http-server.totalTime = 5", "http-server", "did you mean '=='?"),
        ("htttp.totalTime < 5", "http-server", "has no layer 'htttp'"),
        ("page-load.pageLoadTime < 5", "http-server", "http-server has no layer 'page-load'"),
        ("network.avglatency < 5", "http-server", "did you mean 'avgLatency'?"),
        ("network.loss < 5ms", "http-server", "'ms' is not a unit of network.loss; it takes %"),
        (
            "http-server.responseCode == 200 ok",
            "http-server",
            "'ok' is not a unit of http-server.responseCode",
        ),
        ("http-server.responseCode == 2x", "http-server", "it takes no unit"),
        ("http-server.totalTime < 1e999", "http-server", "cannot be compared with"),
        ("dnssec.isValid == maybe", "dnssec", "is true or false, not 'maybe'"),
        ("dnssec.isValid > true", "dnssec", "only be compared with == or !="),
    ],
)
def test_an_expectation_that_cannot_be_read_says_what_was_meant(
    text: str, type_name: str, message: str
) -> None:
    with pytest.raises(ExpectationInvalid) as caught:
        parse_expectation(text, type_name)
    assert message in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.sampled_from(sorted(TEST_TYPES)))
def test_any_text_is_an_expectation_or_a_clear_refusal(text: str, type_name: str) -> None:
    try:
        layer = parse_expectation(text, type_name).layer
    except ExpectationInvalid:
        return
    assert layer in TEST_TYPES[type_name].layers


_METRICS = [
    (kind.name, layer, metric)
    for kind in TEST_TYPES.values()
    for layer in kind.layers
    for metric in METRICS[layer]
]


@pytest.mark.parametrize(("type_name", "layer", "metric"), _METRICS)
def test_every_documented_metric_can_be_expected(type_name: str, layer: str, metric: str) -> None:
    unit = METRICS[layer][metric]
    value = {"text": "x", "bool": "true"}.get(unit, "1")
    assert parse_expectation(f"{layer}.{metric} == {value}", type_name).unit == unit


@pytest.fixture
def judge(spec: MakeSpec) -> Judge:
    """Judge agent 1 by rows, expectations and what else differs in the spec."""

    def run(
        *rows: Answer, expect: tuple[str, ...] = (), warn: tuple[str, ...] = (), **more: object
    ) -> CellResult:
        made = spec(expect=expect, warn=warn, **more)
        return judge_cell(made, "1", rows, parsed(made))

    return run


class TestStates:
    def test_every_layer_measured_is_answered(self, judge: Judge, answer: MakeAnswer) -> None:
        result = judge(answer("http-server", {"totalTime": 5}), answer("network", {"loss": 0.0}))
        assert (result.state, result.verdict, result.reasons) == (CellState.ANSWERED, Verdict.PASS, ())

    def test_nothing_is_missing(self, judge: Judge) -> None:
        result = judge(expect=("network.loss < 1",))
        assert (result.state, result.verdict) == (CellState.MISSING, Verdict.NO_ANSWER)
        assert result.reasons == ("no answer",)

    def test_some_layers_are_partial(self, judge: Judge, answer: MakeAnswer) -> None:
        result = judge(answer("network", {"loss": 0.0}))
        assert (result.state, result.verdict) == (CellState.PARTIAL, Verdict.PARTIAL)
        assert result.reasons == ("no answer in http-server",)

    def test_an_error_row_that_nobody_asks_about_is_a_warning(self, judge: Judge, answer: MakeAnswer) -> None:
        rows = answer("http-server", error="connect: timed out"), answer("network", {"loss": 0.0})
        result = judge(*rows, expect=("network.loss < 1",))
        assert (result.state, result.verdict) == (CellState.ERRORS, Verdict.WARN)
        assert result.reasons == ("http-server: connect: timed out",)

    def test_an_error_row_fails_what_asks_for_its_layer_with_one_reason(
        self, judge: Judge, answer: MakeAnswer
    ) -> None:
        rows = answer("http-server", error="dns: no such name"), answer("network", {"loss": 0.0})
        result = judge(*rows, expect=("http-server.responseCode == 200", "http-server.totalTime < 1s"))
        assert (result.state, result.verdict) == (CellState.ERRORS, Verdict.FAIL)
        assert result.reasons == ("http-server: dns: no such name",)

    def test_an_error_row_that_only_a_warning_asks_about_warns(
        self, judge: Judge, answer: MakeAnswer
    ) -> None:
        result = judge(answer("network", error="no route"), layers=("network",), warn=("network.loss < 1",))
        assert (result.state, result.verdict) == (CellState.ERRORS, Verdict.WARN)

    def test_an_error_with_a_layer_that_did_not_come_is_partial(
        self, judge: Judge, answer: MakeAnswer
    ) -> None:
        result = judge(answer("http-server", error="dns: no such name"))
        assert (result.state, result.verdict) == (CellState.PARTIAL, Verdict.PARTIAL)

    def test_a_failure_says_more_than_a_missing_layer(self, judge: Judge, answer: MakeAnswer) -> None:
        result = judge(answer("http-server", {"totalTime": 9}), expect=("http-server.totalTime < 5",))
        assert (result.state, result.verdict) == (CellState.PARTIAL, Verdict.FAIL)
        assert result.reasons == (
            "http-server.totalTime 9 ms, expected < 5",
            "no answer in network",
        )

    def test_a_text_that_two_layers_share_is_told_once_with_both(
        self, judge: Judge, answer: MakeAnswer
    ) -> None:
        rows = [answer("network", error="refused"), answer("http-server", error="refused")]
        assert judge(*rows).reasons == ("http-server, network: refused",)
        assert judge(*rows, expect=("network.loss < 1",)).reasons == ("network, http-server: refused",)

    def test_an_error_that_a_warning_asks_for_is_told_once(self, judge: Judge, answer: MakeAnswer) -> None:
        rows = [answer("network", error="refused"), answer("http-server", {"totalTime": 9})]
        result = judge(*rows, warn=("network.loss < 1", "network.avgLatency < 9"))
        assert (result.verdict, result.reasons) == (Verdict.WARN, ("network: refused",))

    def test_rows_of_others_are_not_counted(self, judge: Judge, answer: MakeAnswer) -> None:
        rows = [
            answer("network", {"loss": 0.0}, agent_id="2"),
            answer("path-vis", {"numberOfHops": 3}),
            answer("path-vis-detail", {}),
        ]
        assert judge(*rows).state is CellState.MISSING

    def test_of_two_rounds_the_newer_counts(self, judge: Judge, answer: MakeAnswer) -> None:
        old, new = (
            answer("network", {"loss": 100.0}, round_id=1),
            answer("network", {"loss": 0.0}, round_id=2),
        )
        for rows in ((old, new), (new, old)):
            result = judge(*rows, layers=("network",), expect=("network.loss < 1",))
            assert result.verdict is Verdict.PASS


class TestExpectations:
    @pytest.mark.parametrize(
        ("expectation", "measured", "reasons"),
        [
            ("http-server.totalTime < 2s", 2310, ("http-server.totalTime 2310 ms, expected < 2 s",)),
            ("http-server.totalTime < 2 s", 2823, ("http-server.totalTime 2823 ms, expected < 2 s",)),
            ("http-server.totalTime < 0.1 min", 9000, ("http-server.totalTime 9000 ms, expected < 0.1 min",)),
            ("http-server.totalTime < 500ms", 501, ("http-server.totalTime 501 ms, expected < 500 ms",)),
            ("http-server.totalTime < 2s", None, ("http-server.totalTime was not measured, expected < 2 s",)),
            ("http-server.wireSize <= 2MB", 2_100_000, ("http-server.wireSize 2100000 B, expected <= 2 MB",)),
            ("http-server.totalTime < 2s", 1999.5, ()),
            ("http-server.totalTime <= 5", 5, ()),
            ("http-server.totalTime != 5", 5, ("http-server.totalTime 5 ms, expected != 5",)),
            ("http-server.totalTime >= 5.5", 5, ("http-server.totalTime 5 ms, expected >= 5.5",)),
            ("http-server.responseCode == 200", 503, ("http-server.responseCode 503, expected == 200",)),
            ("http-server.totalTime < 5", None, ("http-server.totalTime was not measured, expected < 5",)),
            ("http-server.totalTime < 5", "4", ("http-server.totalTime 4 ms, expected < 5",)),
            ("http-server.totalTime < 5", True, ("http-server.totalTime true ms, expected < 5",)),
            (
                "http-server.sslVersion == TLSv1.3",
                "TLSv1.2",
                ("http-server.sslVersion TLSv1.2, expected == TLSv1.3",),
            ),
        ],
    )
    def test_what_does_not_hold_is_said_with_numbers(
        self,
        judge: Judge,
        answer: MakeAnswer,
        expectation: str,
        measured: Metric | None,
        reasons: tuple[str, ...],
    ) -> None:
        metric = expectation.split(".")[1].split(maxsplit=1)[0]
        metrics = {} if measured is None else {metric: measured}
        result = judge(answer("http-server", metrics), layers=("http-server",), expect=(expectation,))
        assert result.reasons == reasons
        assert result.verdict is (Verdict.FAIL if reasons else Verdict.PASS)

    def test_a_warning_does_not_fail(self, judge: Judge, answer: MakeAnswer) -> None:
        result = judge(answer("network", {"loss": 3.0}), layers=("network",), warn=("network.loss <= 1",))
        assert (result.state, result.verdict) == (CellState.ANSWERED, Verdict.WARN)
        assert result.reasons == ("network.loss 3 %, expected <= 1",)

    def test_it_must_hold_for_every_name_server(self, judge: Judge, answer: MakeAnswer) -> None:
        rows = [
            answer("dns-server", {"resolutionTime": 20}, server="ns1.example"),
            answer("dns-server", {"resolutionTime": 900}, server="ns2.example"),
        ]
        more = {"type": "dns-server", "layers": ("dns-server",), "servers": 2}
        result = judge(*rows, expect=("dns-server.resolutionTime < 100",), **more)
        assert (result.state, result.verdict) == (CellState.ANSWERED, Verdict.FAIL)
        assert result.reasons == ("dns-server.resolutionTime 900 ms at ns2.example, expected < 100",)

    def test_a_name_server_without_an_answer_is_partial(self, judge: Judge, answer: MakeAnswer) -> None:
        row = answer("dns-server", {"resolutionTime": 20}, server="ns1.example")
        result = judge(row, type="dns-server", layers=("dns-server",), servers=2)
        assert (result.state, result.verdict) == (CellState.PARTIAL, Verdict.PARTIAL)
        assert result.reasons == ("1 of 2 servers in dns-server",)

    @pytest.mark.parametrize("layer", ["network", "path-vis"])
    def test_a_row_that_names_one_of_several_servers_is_no_answer_of_the_others(
        self, judge: Judge, answer: MakeAnswer, layer: str
    ) -> None:
        names = ["ns1.example", "ns2.example", "ns3.example"]
        more = {"type": "dns-server", "layers": (layer,), "servers": 3, "fields": {"dnsServers": names}}
        rows = [answer(layer, {"loss": 0.0}, server=f"{name}:53") for name in names]
        lacking = judge(rows[1], **more)
        assert (lacking.state, lacking.verdict) == (CellState.PARTIAL, Verdict.PARTIAL)
        assert lacking.reasons == (f"1 of 3 servers in {layer} (not ns1.example, ns3.example)",)
        assert judge(*rows, **more).verdict is Verdict.PASS
        assert judge(answer(layer, {"loss": 0.0}), **more).verdict is Verdict.PASS, "it may be all there is"

    def test_it_must_hold_for_every_direction_and_says_for_which_it_does_not(
        self, judge: Judge, answer: MakeAnswer
    ) -> None:
        more = {"type": "agent-to-agent", "layers": ("network",), "fields": {"direction": "bidirectional"}}
        there = answer("network", {"loss": 0.0}, direction="to-target")
        back = answer("network", {"loss": 4.0}, direction="from-target")
        both = judge(there, back, expect=("network.loss <= 1",), **more)
        assert both.reasons == ("network.loss 4 % (from-target), expected <= 1",)
        one = judge(there, expect=("network.loss <= 1",), **more)
        assert (one.state, one.reasons) == (
            CellState.PARTIAL,
            ("1 of 2 directions in network (not from-target)",),
        )
        combined = judge(answer("network", {"loss": 0.0}, direction="bidirectional"), **more)
        assert combined.verdict is Verdict.PASS

    def test_truth_values_are_compared_with_truth_values(self, judge: Judge, answer: MakeAnswer) -> None:
        more = {"type": "dnssec", "layers": ("dnssec",)}
        good = judge(answer("dnssec", {"isValid": True}), expect=("dnssec.isValid == true",), **more)
        bad = judge(answer("dnssec", {"isValid": 1}), expect=("dnssec.isValid == true",), **more)
        assert (good.verdict, bad.verdict) == (Verdict.PASS, Verdict.FAIL)

    def test_reasons_are_as_many_as_a_person_reads(self, judge: Judge, answer: MakeAnswer) -> None:
        expect = tuple(f"network.loss < {n}" for n in range(1, 21))
        result = judge(answer("network", {"loss": 99.0}), layers=("network",), expect=expect)
        assert len(result.reasons) == 8
        assert result.reasons[-1] == "and 13 more"


_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["http-server", "network", "path-vis"]),
        st.booleans(),
        st.integers(0, 3),
        st.floats(0, 100),
    ),
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(rows=_ROWS, expected=st.booleans(), warned=st.booleans())
def test_state_and_verdict_agree_whatever_came(
    rows: list[tuple[str, bool, int, float]], expected: bool, warned: bool
) -> None:
    spec = Spec("k", "t", "http-server", "x", {}, ("1",), ("http-server", "network"), 180.0)
    answers = [_row(layer, failed, number, value) for layer, failed, number, value in rows]
    one = (parse_expectation("network.loss < 50", "http-server"),)
    result = judge_cell(spec, "1", answers, Parsed(one if expected else (), one if warned else ()))
    asked = {answer.layer for answer in answers} & set(spec.layers)
    if not asked:
        assert (result.state, result.verdict) == (CellState.MISSING, Verdict.NO_ANSWER)
    elif len(asked) == 1:
        assert result.state is CellState.PARTIAL
        assert result.verdict in {Verdict.PARTIAL, Verdict.FAIL}
    else:
        assert result.state in {CellState.ANSWERED, CellState.ERRORS}
        assert result.verdict in {Verdict.PASS, Verdict.WARN, Verdict.FAIL}
    assert bool(result.reasons) is (result.verdict is not Verdict.PASS)
    assert expected or result.verdict is not Verdict.FAIL


def _row(layer: str, failed: bool, number: int, value: float) -> Answer:
    status = AnswerStatus.ERROR if failed else AnswerStatus.OK
    metrics: dict[str, Metric] = {} if failed else {"loss": value, "totalTime": value}
    return Answer(layer, "1", "a", None, None, number, None, status, "no" if failed else None, metrics, "{}")
