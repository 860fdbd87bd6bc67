"""A file of configuration: what it says, what is wrong in it and where, what never stands in it."""

from __future__ import annotations

import tomllib
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.configuration import Configuration
from orchestrator.configuration.places import configuration_of, usual_file
from orchestrator.configuration.reading import load_configuration, parse_configuration
from orchestrator.configuration.toml import read_toml
from orchestrator.configuration.trust import refuse_parted
from orchestrator.errors import PlanInvalid, UsageProblem
from orchestrator.plan.problems import Problems
from orchestrator.settings import BASE_URL, NOTIFY, QUIET, STORE, TOKEN, Settled, Source

SECRET = "5d3f0c4a-7777-4a4a-9999-secret0token"
WHOLE = """\
profile = "acme"          # the usual one
store = "runs.db"
notify = ["oncall",
          "chat"]
quiet = true
token = "file:~/usual"

[profiles.acme]
base_url = "https://api.acme.example"
  aid = "1234"
[profiles.beta]
profiles.gamma.x = 1
"""


def problems_of(text: str) -> list[str]:
    problems = Problems()
    parse_configuration(text, "o.toml", None, problems, Path("/home/me"))
    return [f"{one.line}:{one.column}: {one.message}" for one in problems.listed()]


def read(text: str, profile: str | None = None) -> Configuration:
    problems = Problems()
    found = parse_configuration(text, "o.toml", profile, problems, Path("/home/me"))
    problems.raise_if_any()
    return found


def test_a_profile_is_laid_over_what_is_for_all() -> None:
    text = 'quiet = true\ngrace = 5\nstore = "a.db"\n[profiles.acme]\ngrace = 9\n[profiles.beta]\n'
    assert {key: one.value for key, one in read(text).values.items()} == {
        "quiet": True,
        "grace": 5,
        "store": "/home/me/a.db",
    }
    acme = read(text, "acme")
    assert (acme.profile, acme.profiles, acme.values["grace"].value) == ("acme", ("acme", "beta"), 9)
    assert acme.values["grace"].place == "o.toml:5"
    assert acme.values["quiet"].place == "o.toml:1"
    assert read(text, "beta").values["grace"].value == 5


def test_the_file_itself_may_name_the_usual_profile() -> None:
    text = 'profile = "acme"\n[profiles.acme]\nquiet = true\n[profiles.beta]\n'
    assert read(text).get(QUIET) is not None
    assert read(text, "beta").get(QUIET) is None
    assert problems_of(text.replace('= "acme"', '= "acne"')) == [
        "1:1: no profile is called 'acne', did you mean 'acme'?"
    ]


def test_values_may_be_written_in_every_way_that_toml_has() -> None:
    text = (
        "profiles.acme.quiet = true\r\nprofiles = 3\n",
        'profiles = {acme = {quiet = true, notify = ["a"]}}',
        "[profiles]\nacme.quiet = true\nacme.notify = [\n  'a', # one\n]\n",
        '["profiles"."acme"]\n"quiet" = true\nnotify = """\\\n  a"""\n',
    )
    assert problems_of(text[0])
    for one in text[1:]:
        found = read(one, "acme")
        assert (found.values["quiet"].value, found.values["notify"].value) == (True, ("a",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stor = 'x'", "1:1: unknown key 'stor', did you mean 'store'?"),
        ("\n  quite = true", "2:3: unknown key 'quite', did you mean 'quiet'?"),
        ("[profiles.a]\naccount = 1", "2:1: unknown key 'account'; known here: base_url, aid,"),
        ("[defaults]\nquiet = true\ngrace = 1", "1:1: unknown key 'defaults'; known here: profile,"),
        ("quiet = 'yes'", "1:1: quiet: true or false is wanted"),
        ("grace = -1", "1:1: grace: a number of at least 0 is wanted"),
        ("grace = nan", "1:1: grace: a number of at least 0 is wanted"),
        ("concurrency = true", "1:1: concurrency: a whole number of at least 1 is wanted"),
        ("concurrency = 0", "1:1: concurrency: a whole number of at least 1 is wanted"),
        ("gate = 'stict'", "did you mean 'strict'?"),
        ("aid = 1234", "1:1: aid: a text is wanted"),
        ("aid = {x = 1}", "1:1: aid: a text is wanted"),
        ('aid = "a\\u0000b"', "1:1: aid: a text is wanted"),
        ("tokens = '/x'", "1:1: 'tokens' stands in no file of configuration: it is ORCHESTRATOR_TOKENS"),
        ("profiles = 1", "1:1: a profile is a table: [profiles.NAME]"),
        ("profiles.a = 1", "1:1: a profile is a table: [profiles.a]"),
        ("[profiles.'a b']", "1:1: 'a b' is no name of a profile"),
        ("[profiles.a]\nprofile = 'b'", "2:1: a profile cannot name another one"),
        ("[[profiles.a]]", "1:1: lists of tables"),
        ("grace = 1\ngrace = 2\n", "2:10: not TOML: cannot overwrite a value"),
        ("x = [1,", "1:1: not TOML: invalid value, at the end of the file"),
        ("x = " + "[" * 3000, "1:1: nested too deep"),
        ("#" * 70_000, "1:1: the file has more than 64 KiB"),
        ("x = [\n" + "1,\n" * 300 + "]", "1:1: a value of more than 200 lines"),
    ],
)
def test_what_is_wrong_has_its_place(text: str, said: str) -> None:
    found = problems_of(text)
    assert len(found) == 1, found
    assert said in found[0]


def test_every_problem_is_told_not_the_first() -> None:
    assert len(problems_of("a = 1\nb = 2\nquiet = 3\n[profiles.x]\nc = 4\n")) == 4


@pytest.mark.parametrize(
    "text",
    [
        f'token = "{SECRET}"',
        f'token = "env:{SECRET}"',
        f'token = "file {SECRET}"',
        f'[profiles.a]\ntoken = ["{SECRET}"]',
        f'notify = "https://hooks.example/{SECRET}"',
        f'te_token = "{SECRET}"',
        f'gate = "{SECRET}"',
        f"token = {SECRET}",
    ],
)
def test_a_secret_is_refused_and_not_repeated(text: str) -> None:
    (found,) = problems_of(text)
    assert SECRET[:8] not in found


def test_references_and_paths_begin_in_the_folder_of_the_file() -> None:
    for text, value in {
        "env:ACME_TOKEN": "env:ACME_TOKEN",
        "credential:acme": "credential:acme",
        "file:acme": "file:acme",
        "file:secrets/acme": "file:/home/me/secrets/acme",
        "file:/run/acme": "file:/run/acme",
    }.items():
        assert read(f'token = "{text}"').values["token"].value == value
    assert read('store = "postgresql://db/x"').values["store"].value == "postgresql://db/x"
    found = read('store = "~/runs.db"').get(STORE)
    assert found is not None
    assert found.value == str(Path.home() / "runs.db")


def test_a_token_for_all_is_not_inherited_by_a_profile_with_an_origin_of_its_own() -> None:
    text = 'token = "env:A"\n[profiles.own]\nbase_url = "https://x.example"\n[profiles.same]\naid = "1"\n'
    assert read(text, "own").get(TOKEN) is None
    assert read(text, "same").get(TOKEN) is not None


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("token", list(Source))
@pytest.mark.parametrize("origin", list(Source))
def test_a_token_and_an_origin_that_were_written_down_together_are_not_parted_by_the_environment(
    origin: Source, token: Source, *, both: bool
) -> None:
    text = 'token = "env:A"\n' + ('base_url = "https://x.example"\n' if both else "")
    parted = both and {origin, token} == {Source.ENVIRONMENT, Source.FILE}
    refused = pytest.raises(UsageProblem, match="not sent to an origin") if parted else nullcontext()
    with refused:
        refuse_parted(read(text), Settled("o", origin, "TE_BASE_URL"), Settled("t", token, "TE_TOKEN"))


def test_a_profile_that_there_is_not_names_those_that_there_are() -> None:
    with pytest.raises(UsageProblem, match=r"no profile is called 'acne' in o\.toml, did you mean 'acme'"):
        read("[profiles.acme]", "acne")
    with pytest.raises(UsageProblem, match="there are acme, beta"):
        read("[profiles.acme]\n[profiles.beta]", "zzz")
    with pytest.raises(UsageProblem, match="it has no profiles"):
        read("", "acme")


def test_the_files_of_a_person_and_of_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orchestrator.toml").write_text("quiet = true")
    assert configuration_of(None, None, {}) == Configuration(), "that of the current folder was read"
    usual = tmp_path / "orchestrator" / "orchestrator.toml"
    assert usual_file() == usual
    usual.parent.mkdir()
    usual.write_text("grace = 1")
    assert set(configuration_of(None, None, {}).values) == {"grace"}
    environ = {"ORCHESTRATOR_CONFIG": str(tmp_path / "orchestrator.toml")}
    assert set(configuration_of(None, None, environ).values) == {"quiet"}
    assert set(configuration_of(str(usual), None, environ).values) == {"grace"}
    assert configuration_of("/dev/null", None, {}).values == {}
    with pytest.raises(PlanInvalid, match="cannot be read"):
        configuration_of(str(tmp_path / "none.toml"), None, {})
    monkeypatch.setenv("XDG_CONFIG_HOME", ".")
    assert usual_file() != Path("orchestrator/orchestrator.toml"), "that is the current folder's"


def test_the_profile_of_a_flag_counts_more_than_those_of_environment_and_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "o.toml"
    file.write_text('profile = "c"\n[profiles.a]\n[profiles.b]\n[profiles.c]\n')
    environ = {"ORCHESTRATOR_PROFILE": "b"}
    assert configuration_of(str(file), "a", environ).profile == "a"
    assert configuration_of(str(file), None, environ).profile == "b"
    usual = configuration_of(str(file), None, {})
    assert (usual.profile, usual.values["profile"].place) == ("c", f"{file}:1")
    with pytest.raises(UsageProblem, match="there is no file of configuration"):
        configuration_of("", "a", {})


def test_a_file_that_everybody_can_change_is_not_trusted(tmp_path: Path) -> None:
    file = tmp_path / "o.toml"
    file.write_text("quiet = true")
    file.chmod(0o646)
    with pytest.raises(UsageProblem, match="every user of this host can change"):
        configuration_of(str(file), None, {})
    file.chmod(0o644)
    assert configuration_of(str(file), None, {}).get(QUIET) is not None


def test_a_file_that_is_no_text_has_a_problem(tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanInvalid, match="UTF-16"):
        load_configuration(tmp_path / "o.toml")


KEYS = st.sampled_from(["a", "b", '"c d"', "profiles", "quiet"])
TEXTS = st.sampled_from(["1", "true", '"x=y"', "'[z]'", '"""\n[no.table]\n"""', "[1,\n 2]", "{x = 1}", "1.5"])
LINES = st.one_of(
    st.tuples(KEYS, TEXTS).map(lambda one: f"{one[0]} = {one[1]}"),
    st.lists(KEYS, min_size=1, max_size=3).map(lambda keys: f"[{'.'.join(keys)}]"),
    st.sampled_from(["", "# note = 1", "   # [x]"]),
)


@given(st.lists(LINES, max_size=8).map("\n".join))
def test_what_is_read_line_by_line_is_what_the_reader_makes_of_the_whole(text: str) -> None:
    problems = Problems()
    leaves = read_toml(text, "o.toml", problems)
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert len(problems) == 1
        assert not leaves
        return
    assert not problems
    built: dict[str, object] = {}
    for leaf in leaves:
        inner = built
        for key in leaf.path[:-1]:
            inner = inner.setdefault(key, {})  # type: ignore[assignment] # a table, or the text would not be TOML
        if leaf.value == {}:
            inner.setdefault(leaf.path[-1], {})
        else:
            inner[leaf.path[-1]] = leaf.value
        line = text.split("\n")[leaf.place.line - 1]
        assert line[leaf.place.column - 1] in 'abpq"['
    assert built == whole


@given(st.text(max_size=60))
def test_no_text_is_more_than_a_list_of_problems(text: str) -> None:
    problems_of(text)


def test_a_setting_that_the_file_does_not_say_is_none() -> None:
    assert Configuration().get(BASE_URL) is None
    assert Configuration().get(NOTIFY) is None
