"""The pages of the optimizers say what the rules declare."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from optselect.optim.certify import rule_pages
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from tests.helpers import RESOURCES, ROOT

FOLDER = ROOT / "docs" / "optimizers"

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))


@every_rule
@pytest.mark.parametrize("sentence", ["good_for", "weakness"])
def test_rule_says_what_it_is_for_and_where_it_disappoints(rule: type[Rule], sentence: str) -> None:
    """Both are there, one sentence each, and not the same."""
    said = getattr(rule, sentence)
    assert said, f"{rule.__name__}: write `{sentence}`, one honest sentence"
    assert said[0].isupper()
    assert said.endswith(".")
    assert ". " not in said.replace("et al. ", "")
    assert rule.good_for != rule.weakness


@every_rule
def test_every_paper_can_be_cited(rule: type[Rule]) -> None:
    """Each part of `paper` gives an entry with a key, an author and a year."""
    entries = rule_pages.citations(rule.paper)
    assert len(entries) == rule.paper.count("; ") + 1
    assert all(entry.startswith("@misc{") and entry.count("{") == entry.count("}") for entry in entries)
    assert all("author = {" in entry and "year = {" in entry for entry in entries)


@every_rule
def test_references_are_those_of_the_golden_numbers(rule: type[Rule]) -> None:
    """A rule names the libraries whose numbers the tests hold it to, and no others."""
    found = set()
    for path in RESOURCES.glob("golden_*.json"):
        content = json.loads(path.read_text())
        for case in content if isinstance(content, list) else content["cases"]:
            if rule.name in (case["rule"], case["rule"]["name"] if isinstance(case["rule"], dict) else ""):
                found.add((case.get("by") or case["source"]).split()[0])
    assert rule.references == ", ".join(sorted(found))


def test_citation_of_every_kind() -> None:
    """Co-authors, what a paper is cited for, arXiv or another place."""
    assert rule_pages.citations("Kingma & Ba 2015, arXiv:1412.6980; amsgrad: Reddi et al. 2018, ICLR") == [
        "@misc{kingma2015, author = {Kingma and Ba}, year = {2015}, eprint = {1412.6980}, archivePrefix = {arXiv}}",
        "@misc{reddi2018, author = {Reddi and others}, year = {2018}, howpublished = {ICLR}, note = {amsgrad}}",
    ]
    with pytest.raises(ValueError, match=r"write 'Authors YEAR, where'.* got 'unknown'"):
        rule_pages.citations("unknown")


@every_rule
def test_description_names_all(rule: type[Rule]) -> None:
    """The text for the terminal and the page both hold every sentence, hyperparameter and paper."""
    known = rule_pages.described(rule)
    assert json.loads(json.dumps(known)) == known
    assert ">>>" not in known["equations"]
    for shown in (rule_pages.text(rule), rule_pages.markdown(rule)):
        assert all(known[part] in shown for part in ("summary", "good_for", "weakness", "paper", "parity"))
        assert all(h.name in shown and h.doc in shown for h in rule.hypers())
        assert all(entry in shown for entry in known["citations"])


def test_generated_pages_are_up_to_date() -> None:
    """What is in docs is what the rules give now: after a change of a rule run `just generate`."""
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    assert written == rule_pages.pages()


def test_pages_of_rules_that_are_gone_go(tmp_path: Path) -> None:
    """Writing removes a page without a rule, and adds those that are missing."""
    (tmp_path / "gone.md").write_text("")
    rule_pages.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(rule_pages.pages())


def test_command_line_describes(optselect: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """`optselect optimizers NAME` prints the description, with --json as JSON; without NAME it lists all."""
    name, rule = next(iter(RULES.items()))
    assert optselect("optimizers", name).stdout == rule_pages.text(rule) + "\n"
    assert json.loads(optselect("optimizers", name, "--json").stdout) == rule_pages.described(rule)
    assert [line.split()[0] for line in optselect("optimizers").stdout.splitlines()] == list(RULES)
