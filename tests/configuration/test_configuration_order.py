"""Flag over environment over plan over file over default: for every setting, whatever was said where."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from import_graph import modules

from orchestrator.settings import NOTIFY, SETTINGS, TOKEN, Kind, Setting, Source, Written, settle

WORDS = st.text("abcxyz019:/._-", min_size=1, max_size=12)
NAMES = st.lists(WORDS, min_size=1, max_size=3).map(tuple)


def values(setting: Setting) -> st.SearchStrategy[object]:
    match setting.kind:
        case Kind.NAMES:
            return NAMES
        case Kind.TRUTH:
            return st.booleans()
        case Kind.NUMBER | Kind.COUNT:
            return st.integers(0, 9)
        case _:
            return WORDS


@given(st.data(), st.sampled_from(SETTINGS), st.sets(st.sampled_from(Source)))
def test_the_strongest_of_those_that_said_something_counts(
    data: st.DataObject, setting: Setting, who: set[Source]
) -> None:
    said = {source: data.draw(values(setting)) for source in Source}
    if not setting.variables:
        who = who - {Source.ENVIRONMENT}
    text = said[Source.ENVIRONMENT]
    environ = dict.fromkeys(setting.variables[-1:], " ".join(text) if isinstance(text, tuple) else str(text))
    found = settle(
        setting,
        flag=said[Source.FLAG] if Source.FLAG in who else None,  # type: ignore[arg-type]  # drawn
        environ=environ if Source.ENVIRONMENT in who else {},
        plan=Written(said[Source.PLAN], "plan.yaml", 3) if Source.PLAN in who else None,  # type: ignore[arg-type]  # drawn
        file=Written(said[Source.FILE], "o.toml", 7) if Source.FILE in who else None,  # type: ignore[arg-type]  # drawn
    )
    strongest = next((source for source in Source if source in who), Source.DEFAULT)
    assert found.source is strongest
    places = {
        Source.FLAG: setting.flag or "",
        Source.ENVIRONMENT: next(iter(environ), ""),
        Source.PLAN: "plan.yaml:3",
        Source.FILE: "o.toml:7",
    }
    assert found.place == places.get(strongest, "")
    if strongest is Source.DEFAULT:
        assert found.value == setting.default
    elif strongest is not Source.ENVIRONMENT or setting.kind is Kind.NAMES:
        assert found.value == said[strongest]
    else:
        assert found.value == str(text)


@given(st.sampled_from(SETTINGS))
def test_what_is_empty_was_not_said(setting: Setting) -> None:
    environ = dict.fromkeys(setting.variables, "")
    found = settle(
        setting,
        flag="",
        environ=environ,
        plan=Written("", "plan.yaml"),
        file=Written((), "o.toml"),
    )
    assert (found.source, found.value) == (Source.DEFAULT, setting.default)


def test_no_truth_and_no_number_is_empty() -> None:
    for value in (False, 0, 0.0):
        assert settle(NOTIFY, flag=value).source is Source.FLAG


def test_the_first_variable_that_is_set_counts() -> None:
    environ = {"TE_API_ENDPOINT": "https://b.example", "TE_BASE_URL": "https://a.example"}
    base_url = next(one for one in SETTINGS if one.key == "base_url")
    assert settle(base_url, environ=environ).value == "https://a.example"


def test_settings_have_one_name_each_and_flags_follow_from_it() -> None:
    keys = [one.key for one in SETTINGS]
    assert len(keys) == len(set(keys))
    for one in SETTINGS:
        if one.flag is not None and one is not TOKEN:
            assert one.flag == f"--{one.key.replace('_', '-')}"
    variables = [name for one in SETTINGS for name in one.variables]
    assert len(variables) == len(set(variables))


VARIABLE = re.compile(r'"((?:TE|ORCHESTRATOR)_[A-Z0-9_]*[A-Z0-9])"')
# Other tools' names for the token, which are no settings; and the simulator, which
# is nobody's client and reads its token by itself.
ELSEWHERE = {
    "orchestrator.credentials": {"TE_BEARER", "TE_BEARER_TOKEN"},
    "orchestrator.cli.bodies.simulator": {"TE_TOKEN"},
}


def test_no_other_module_names_a_variable_of_a_setting() -> None:
    named = {name: set(VARIABLE.findall(path.read_text("utf-8"))) for name, path in modules().items()}
    assert named.pop("orchestrator.settings")
    assert {name: found for name, found in named.items() if found} == ELSEWHERE
