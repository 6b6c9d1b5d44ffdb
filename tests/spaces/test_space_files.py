"""Search spaces in files: what they may say, and how mistakes are told."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optselect.errors import InvalidSpace, UnknownName
from optselect.optim.hyperparameters import Domain, Search
from optselect.optim.rules import RULES
from optselect.spaces import Space, available, check, default_space, load_space, write_yaml
from optselect.spaces.families import FAMILIES, defaults, hypers, member
from tests.helpers import RESOURCES, ROOT

WRAPPERS = [name for name, rule in RULES.items() if rule().parts[1:]]
BROKEN = RESOURCES / "broken_spaces"
Cli = Callable[..., subprocess.CompletedProcess[str]]


def yaml_of(space: Space) -> str:
    stream = io.StringIO()
    write_yaml(space, stream)
    return stream.getvalue()


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Space]:
    """Loads a text as a file."""

    def loaded(text: str, name: str = "mine") -> Space:
        path = tmp_path / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return load_space(path)

    return loaded


# -- there and back -------------------------------------------------------------------------------------------------


def numbers(domain: Domain) -> st.SearchStrategy[float]:
    """Legal numbers that a range may end with."""
    low, high = max(domain.low, -100.0), min(domain.high, 1e4)
    return (
        st.floats(low, high)
        .map(lambda x: float(f"{x:.4g}"))
        .filter(lambda x: domain.contains(x) and (x == 0 or abs(x) > 1e-9))
    )


@st.composite
def searches(draw: Any, of: Any, name: str) -> Search:
    """Any search of a hyperparameter that a file can say."""
    domain = hypers(of)[name].domain
    more: dict[str, Any] = {"from_trials": draw(st.sampled_from([0, 0, 10]))}
    others = [n for n in hypers(of) if n > name]  # later ones only, so that there is no circle
    if others and draw(st.booleans()):
        other = draw(st.sampled_from(others))
        more["when"] = ((other, Search("choice", choices=(defaults(of)[other],))),)
        more["from_trials"] = 5
    kinds = ["choice"] if domain.boolean else ["choice", "linear", "log", "log1m"]
    scale = draw(st.sampled_from(kinds))
    if scale == "choice":
        values = st.booleans() if domain.boolean else numbers(domain)
        return Search("choice", choices=tuple(draw(st.lists(values, min_size=1, max_size=3, unique=True))), **more)
    ends = sorted(draw(st.lists(numbers(domain), min_size=2, max_size=2, unique=True)))
    if (scale == "log" and ends[0] <= 0) or (scale == "log1m" and not (ends[0] >= 0 and ends[1] < 1)):
        scale = "linear"
    positive = [n for n in others if hypers(of)[n].domain == Domain(low=0.0) and scale != "log1m" and ends[0] > 0]
    per = draw(st.sampled_from(["", *(f"{p}{n}{')' * (p == 'sqrt(')}" for n in positive for p in ("", "sqrt("))]))
    per = per if domain == Domain(low=0.0) else ""
    return Search(scale, *ends, per=per, **more)


@st.composite
def spaces(draw: Any) -> Space:
    """Any space that says something of all that its members declare."""
    found: dict[str, Any] = {}
    for section, family in FAMILIES.items():
        names = draw(st.lists(st.sampled_from(list(family)), min_size=1, max_size=3, unique=True))
        found[section] = {}
        for one in names:
            key = RULES[one]().key if section == "optimizers" else one
            of = member(section, key)
            own = {name: draw(searches(of, name)) for name in hypers(of)}
            for search in list(own.values()):  # what a condition needs stays at its default below 10 trials
                for other, _ in search.when:
                    if not own[other].when:
                        own[other] = Search("choice", choices=(defaults(of)[other],))
                if search.per:
                    other = search.per.removeprefix("sqrt(").removesuffix(")")
                    own[other] = Search("choice", choices=(defaults(of)[other],)) if own[other].per else own[other]
            found[section][key] = own
    batch = draw(st.lists(st.integers(1, 4096) | st.just("full"), min_size=1, max_size=4, unique=True))
    description = draw(st.sampled_from(["", "off", "1e3", "a: b # c", "é ∂ 數", "- x", "long " * 40 + "line"]))
    size = Search("choice", choices=tuple(batch), from_trials=draw(st.sampled_from([0, 5])))
    return Space(name="mine", description=description, batch_size=size, **found)


@settings(deadline=None, max_examples=40)
@given(spaces())
def test_a_space_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, space: Space) -> None:
    """Written and read again any space is the same: ranges, scales, quotients, conditions, choices."""
    path = tmp_path_factory.getbasetemp() / "mine.yaml"
    path.write_text(yaml_of(space), encoding="utf-8")
    assert load_space(path) == space


@pytest.mark.parametrize("name", available())
def test_a_shipped_space_comes_back_as_it_was(name: str, load: Any) -> None:
    """Also where it changes another: written it stands alone."""
    assert load(yaml_of(load_space(name)), name) == load_space(name)


def test_what_is_not_searched_is_written_as_fixed(load: Any) -> None:
    """A file that leaves a hyperparameter out would search it; so its default is said."""
    space = Space(**{**vars(default_space()), "optimizers": {"adam": {}}})
    again = load(yaml_of(space))
    assert again.searched() == space.searched()
    assert again.defaults("adam") == space.defaults("adam")


# -- what a file may say --------------------------------------------------------------------------------------------


def test_without_a_base_a_file_says_which_there_are(load: Any) -> None:
    """The sections that it has are complete; what it leaves out of an arm is as declared; what it names is searched
    from the first trial."""
    space = load("optimizers: {adam: {beta_1: {low: 0.8, high: 0.9}}}")
    assert list(space.optimizers) == ["adam"]
    assert space.schedules == default_space().schedules
    declared = default_space().optimizers["adam"]
    assert space.optimizers["adam"] == {**declared, "beta_1": Search("log1m", 0.8, 0.9)}


def test_with_a_base_a_file_changes_what_it_names(load: Any) -> None:
    """Narrow, fix, take away, add; all else stays."""
    base = default_space()
    space = load(
        "base: default\n"
        "optimizers:\n  adam: {learning_rate: {high: 1e-2}, beta_1: {low: 0.8, high: 0.95}, beta_2: 0.99}\n"
        "  adamw: off\n  lion: {}\n"
        "schedules: [constant]\nbatch_size: {from_trials: 0}\n"
    )
    assert set(space.optimizers) == set(base.optimizers) - {"adamw"} | {"lion"}
    assert space.optimizers["sgd"] == base.optimizers["sgd"]
    adam = space.optimizers["adam"]
    assert adam["learning_rate"] == Search("log", 1e-5, 1e-2)
    assert adam["beta_1"] == Search("log1m", 0.8, 0.95, from_trials=10)
    assert adam["beta_2"].choices == (0.99,)
    assert adam["epsilon"] == base.optimizers["adam"]["epsilon"]
    assert list(space.schedules) == ["constant"]
    assert space.clipping == base.clipping
    assert (space.batch_size.choices, space.batch_size.from_trials) == (base.batch_size.choices, 0)


@pytest.mark.parametrize("text", ["optimizers: [sgd, adam]", "optimizers: {others: off, sgd: {}, adam: {}}"])
def test_a_list_or_others_off_says_which_stay(load: Any, text: str) -> None:
    """Both ways of keeping some arms of a base, as the base has them."""
    space = load(f"base: quick\n{text}")
    assert dict(space.optimizers) == {name: load_space("quick").optimizers[name] for name in ("sgd", "adam")}


def test_a_base_may_be_a_file_beside(load: Any, tmp_path: Path) -> None:
    """By its path from the file that names it, and from base to base."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "first.yaml").write_text("base: quick\noptimizers: [adam]\ndescription: first")
    (tmp_path / "sub" / "second.yaml").write_text("base: first.yaml\nclipping: [clipnorm]")
    space = load("base: sub/second.yaml\nbatch_size: 8")
    assert (list(space.optimizers), list(space.clipping), space.batch_size.choices) == (["adam"], ["clipnorm"], (8,))
    assert space.description == "first"


def test_a_circle_of_bases_is_told(tmp_path: Path) -> None:
    """With the way round."""
    (tmp_path / "a.yaml").write_text("base: b.yaml")
    (tmp_path / "b.yaml").write_text("base: a.yaml")
    with pytest.raises(InvalidSpace, match=r"goes in a circle: a\.yaml → b\.yaml → a\.yaml"):
        load_space(tmp_path / "a.yaml")


def test_wrapped_rules_are_searched_with_what_they_wrap(load: Any) -> None:
    """A wrapper's arm has the hyperparameters of the wrapped rule too, in YAML as in a call."""
    for wrapper in WRAPPERS:
        key = f"{wrapper}(adam)"
        assert "rule.learning_rate" in default_space().only([key]).optimizers[key]
        space = load(f"optimizers: {{{key}: {{rule.learning_rate: 0.01}}}}")
        assert space.optimizers[key]["rule.learning_rate"].choices == (0.01,)
        with pytest.raises(InvalidSpace, match=r"Did you mean 'rule\.learning_rate'"):
            load(f"optimizers: {{{key}: {{learning_rate: 0.01}}}}")


def test_numbers_are_numbers(load: Any) -> None:
    """1e-3 is a float here, as in YAML 1.2; a value that is given alone is fixed."""
    searches = load("optimizers: {adam: {learning_rate: {low: 1e-4, high: 1e-3}, beta_1: .8}}").optimizers["adam"]
    assert (searches["learning_rate"].low, searches["learning_rate"].high) == (1e-4, 1e-3)
    assert searches["beta_1"].choices == (0.8,)


PAGE = (ROOT / "docs" / "spaces.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_every_example_of_the_page_is_a_space(load: Any, text: str) -> None:
    """What docs/spaces.md shows loads, and each arm suggests a configuration."""
    space = load(text)
    for arm in space.optimizers:
        trial = optuna.create_study().ask()
        assert space.suggest(trial, arm, share=80, rows=1000).rule.key == arm


def test_the_python_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """And prints the rule as the space fixes it."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    assert "momentum=0.9" in capsys.readouterr().out


# -- mistakes -------------------------------------------------------------------------------------------------------

MISTAKES = {
    "optimizers: {adam: {learning_rate: {low: 0.1, high: 0.2, scale: lg}}}": "1:65: adam.learning_rate: unknown scale",
    "optimizers: {adam: {learning_rate: {low: a, high: 0.2}}}": "`low` must be a number, got 'a'",
    "optimizers: {adam: {learning_rate: {low: 1_000, high: 2}}}": "write a number plainly",
    "optimizers: {adam: {learning_rate: {low: 0x1, high: 2}}}": "write a number plainly",
    "optimizers: {adam: {learning_rate: 1e999}}": "must lie in (0, inf), got .inf",
    "optimizers: {adam: {learning_rate: []}}": "no value to choose from",
    "optimizers: {}": "must name at least one of",
    "schedules: []": "must name at least one of",
    "optimizers: {null: {}}": "a name is expected here, got null. Quote it if it is one: 'null'",
    "optimizers: [adam, false]": "a name is expected, got false. Quote it",
    "optimizers: [ema(sgd), ema( sgd )]": "ema(sgd) is there twice",
    "optimizers: {adam: off}": "takes it from a `base`, and this file has none",
    "optimizers: {others: off, adam: {}}": "`others: off` goes with a `base`",
    "base: quick\noptimizers: {lion: off}": "the base has none",
    "base: 3": "must be the name of a shipped space or a file, got 3",
    "base: quick\nschedules: [wsd]": "schedule_free_adamw: goes with constant only",
    "description: [a]": "`description` must be a text, got ['a']",
    "optimizers: [adam\nschedules: x": "not YAML",
    "- adam": "a space is a mapping",
    "adam": "a space is a mapping",
    "": "empty",
    "# nothing": "empty",
    "optimizers: [adam]\n---\noptimizers: [sgd]": "2:1: a second document",
    "optimizers: [adam\x07]": "1:18: not YAML: unacceptable character",
    "a: " + "[" * 30 + "]" * 30: "1:23: nested deeper than 20 levels",
    "a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]": "2:8: the alias *a: aliases are not followed",
    "optimizers: {sgd: {nesterov: {choices: [true], when: {}}}}": "`when` must say another's values",
    "optimizers: {sgd: {nesterov: {choices: [true], when: {learning_rate: {near: 1}}}}}": "unknown key 'near'",
    "optimizers: {rmsprop: {learning_rate: {low: 1, high: 2, per: epsilon}, "
    "epsilon: {low: 1, high: 2, per: momentum}}}": "epsilon is a quotient itself",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named_with_its_place(load: Any, tmp_path: Path, text: str) -> None:
    """File, line and column, what was got, how to mend it."""
    with pytest.raises(InvalidSpace) as caught:
        load(text)
    assert MISTAKES[text] in str(caught.value)
    assert str(tmp_path / "mine.yaml") in str(caught.value)


@pytest.mark.parametrize("example", sorted(path.stem for path in BROKEN.glob("*.yaml")))
def test_all_mistakes_of_a_file_are_told_at_once(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with line and column, the line itself and a caret, word for word as a person read and approved it."""
    from click.testing import CliRunner

    from optselect.cli.commands.cmd_spaces import command

    monkeypatch.chdir(BROKEN)
    done = CliRunner().invoke(command, ["--check", f"{example}.yaml"])
    assert done.stderr == Path(f"{example}.txt").read_text(encoding="utf-8")
    assert (done.exit_code, done.stdout) == (2, "")


def test_bytes_that_are_no_text_are_refused_with_their_place(tmp_path: Path) -> None:
    """Latin-1 where UTF-8 is expected: the line and the column of the first wrong byte."""
    path = tmp_path / "latin.yaml"
    path.write_bytes("optimizers:\n  adam: {}  # gemäß".encode("latin-1"))
    assert [(m.line, m.column) for m in check(path)] == [(2, 18)]
    path.write_bytes(b"\xef\xbb\xbfoptimizers: [adam]")
    assert not check(path)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """Over 1 MB nothing is parsed, and over 20,000 values nothing more."""
    path = tmp_path / "large.yaml"
    path.write_text("# " + "x" * 2**20)
    with pytest.raises(InvalidSpace, match=r"large\.yaml: larger than 1 MB"):
        load_space(path)
    path.write_text("schedules: [" + "x," * 100_000 + "]")
    with pytest.raises(InvalidSpace, match=r"large\.yaml:1:\d+: more than 20,000 values"):
        load_space(path)


def test_a_name_that_is_nothing_is_answered_with_the_nearest() -> None:
    """Misspelt, too long for a file, with a null character."""
    with pytest.raises(UnknownName, match="Did you mean 'default'"):
        load_space("defualt")
    for name in ("x" * 5000, "a\0b"):
        with pytest.raises(UnknownName, match="neither a file nor a shipped space"):
            load_space(name)


TEXTS = [path.read_text(encoding="utf-8") for path in [*available().values(), *BROKEN.glob("*.yaml")]]
BITS = [
    *"{}[]:,&*!|>'\"%@`#?-\n\t \0\x85",
    "off",
    "1e3",
    ".nan",
    "null",
    "others",
    "when",
    "per",
    "base",
    "quick",
    "low",
]


@st.composite
def damaged(draw: Any) -> bytes:
    """A space with pieces cut out, doubled or thrown in; or any bytes."""
    text = draw(st.sampled_from(TEXTS))
    start = draw(st.integers(0, len(text)))
    text = text[start : start + draw(st.integers(1, 600))] if draw(st.booleans()) else text[:1500]
    for _ in range(draw(st.integers(1, 6))):
        at, cut = draw(st.integers(0, len(text))), draw(st.integers(0, 12))
        text = text[:at] + draw(st.sampled_from(BITS) | st.text(max_size=3)) + text[at + cut :]
    return text.encode("utf-8", errors="surrogatepass")


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode(errors="replace")) | damaged())
def test_any_file_is_a_space_or_an_invalid_space(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever a file holds, no other exception comes out; and a space that comes out can be written and read."""
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(content)
    try:
        space = load_space(path)
    except InvalidSpace:
        assert check(path)
        return
    path.write_text(yaml_of(space), encoding="utf-8")
    assert load_space(path).searched() == space.searched()


# -- the command ----------------------------------------------------------------------------------------------------


def test_the_list_shows_every_space(optselect: Cli) -> None:
    """Name, arms, hyperparameters and one line each, within 80 columns; the same as JSON."""
    done = optselect("spaces")
    assert done.returncode == 0, done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    rows = json.loads(optselect("spaces", "--json").stdout)
    assert [row["name"] for row in rows] == list(available())
    for row in rows:
        space = load_space(row["name"])
        assert (row["arms"], row["hyperparameters"]) == (len(space.optimizers), space.searched())
        assert row["description"].split()[0] in done.stdout


def test_a_space_is_shown_with_its_sources_or_in_full(optselect: Cli, load: Any) -> None:
    """As text it is the file, comments and all; as JSON also what its base says."""
    assert optselect("spaces", "thorough").stdout.strip() == available()["thorough"].read_text().strip()
    full = json.loads(optselect("spaces", "thorough", "--json").stdout)
    assert load(json.dumps(full), "thorough") == load_space("thorough")


def test_check_goes_through_all_files(optselect: Cli, tmp_path: Path) -> None:
    """Those without mistakes are named too, and one that is not there does not hide the others; JSON says the same."""
    (tmp_path / "good.yaml").write_text("base: quick")
    (tmp_path / "bad.yaml").write_text("optimizers: {adam: 3}")
    assert optselect("spaces", "--check", "good.yaml").returncode == 0
    done = optselect("spaces", "--check", "bad.yaml", "gone.yaml", "good.yaml")
    assert (done.returncode, done.stdout) == (2, "good.yaml: no mistakes\n")
    assert "bad.yaml:1:20: adam: must be a mapping" in done.stderr
    assert "gone.yaml" in done.stderr
    found = json.loads(optselect("spaces", "--check", "--json", "bad.yaml", "good.yaml").stdout)
    assert [(one["file"], len(one["mistakes"])) for one in found] == [("bad.yaml", 1), ("good.yaml", 0)]
    assert found[0]["mistakes"][0] | {"text": ""} == {
        "line": 1, "column": 20, "text": "", "source": "optimizers: {adam: 3}"}  # fmt: skip
