"""What is known of a rule, from its declaration: for the command line, for JSON and for the pages in docs."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optselect.optim.hyperparameters import Search
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES

__all__ = [
    "citations",
    "described",
    "index",
    "markdown",
    "own",
    "pages",
    "parity",
    "searched",
    "summary",
    "text",
    "write",
]

_PAPER = re.compile(
    r"(?:(?P<about>[^:;]*): )?(?P<authors>[^:;,(]+?) (?P<year>\d{4})(?: \((?P<note>[^)]*)\))?(?:, (?P<where>.*))?"
)


def own() -> dict[str, type[Rule]]:
    """The rules of this package, without those that other packages bring."""
    return {name: rule for name, rule in RULES.items() if rule.__module__.startswith("optselect.optim.rules.")}


def described(rule: type[Rule]) -> dict[str, Any]:
    """All that is known of a rule, in JSON types."""
    summary, _, equations = _documentation(rule).partition("\n")
    return {
        "name": rule.name,
        "summary": summary,
        "equations": equations.strip("\n"),
        "good_for": rule.good_for,
        "weakness": rule.weakness,
        "hyperparameters": [
            {"name": h.name, "default": h.default, "domain": str(h.domain), "search": searched(h.search), "doc": h.doc}
            for h in rule.hypers()
        ],
        "settings": [
            {"name": s.name, "default": _json(s.default), "form": s.form.words, "doc": s.doc} for s in rule.settings()
        ],
        "wraps": rule().base.name if len(rule().parts) > 1 else "",
        "scope": rule.scope,
        "paper": rule.paper,
        "citations": citations(rule.paper),
        "twin": rule.twin,
        "references": rule.references,
        "parity": parity(rule),
        "lines": len(inspect.getsource(sys.modules[rule.__module__]).splitlines()),
    }


def _json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def text(rule: type[Rule]) -> str:
    """The description for a terminal."""
    known = described(rule)
    lines = [f"{rule.__name__}: {known['summary']}", "", known["equations"], ""]
    lines += [f"Good for: {known['good_for']}", f"Weakness: {known['weakness']}", "", "Hyperparameters:"]
    for h in known["hyperparameters"]:
        lines.append(f"  {h['name']} = {h['default']!r}, in {h['domain']}. {h['doc']}")
        lines += [f"      searched: {h['search']}"] if h["search"] else []
    lines += [f"  {s['name']} = {s['default']!r}, {s['form']}, never searched. {s['doc']}" for s in known["settings"]]
    lines += [f"  rule = {known['wraps']}, or any other: the rule that it wraps."] if known["wraps"] else []
    lines += ["", f"Paper: {known['paper']}", f"Parity: {known['parity']}", "", "To cite:"]
    return "\n".join([*lines, *(f"  {entry}" for entry in known["citations"])])


def markdown(rule: type[Rule]) -> str:
    """The page of a rule."""
    known = described(rule)
    rows = [
        f"| `{h['name']}` | {_number(h['default'])} | {h['domain']} | {h['search'] or 'not searched'} | {h['doc']} |"
        for h in known["hyperparameters"]
    ]
    rows += [f"| `{s['name']}` | {s['default']} | {s['form']} | never | {s['doc']} |" for s in known["settings"]]
    if known["wraps"]:
        rows.append(f"| `rule` | {known['wraps']} | any rule | | The rule that it wraps. |")
    return "\n".join(
        [
            f"# {rule.__name__}",
            "",
            known["summary"],
            "",
            known["equations"].replace("::\n", ":\n"),
            "",
            f"**Good for.** {known['good_for']}",
            "",
            f"**Weakness.** {known['weakness']}",
            "",
            "| hyperparameter | default | domain | search | meaning |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"**Paper.** {known['paper']}",
            "",
            f"**Parity.** {known['parity']}",
            "",
            "```bibtex",
            *known["citations"],
            "```",
            "",
        ]
    )


def index() -> str:
    """The table of all rules."""
    lines = [
        "# The optimizers",
        "",
        "One file each under `optselect/optim/rules/`; this page and the others are made from them by",
        '`just generate`. "Lines" are those of the whole file, documentation included.',
        "",
    ]
    lines += ["| rule | what it does | paper | Keras twin | other references | lines |", "|---|---|---|---|---|---|"]
    for name, rule in own().items():
        known = described(rule)
        twin = f"`{known['twin']}`" if known["twin"] else "none"
        row = (
            f"[{name}]({name}.md)",
            known["summary"],
            known["paper"],
            twin,
            known["references"] or "none",
            known["lines"],
        )
        lines.append("| " + " | ".join(map(str, row)) + " |")
    return "\n".join([*lines, ""])


def pages() -> Mapping[str, str]:
    """Every page by its file's name."""
    return {"README.md": index(), **{f"{name}.md": markdown(rule) for name, rule in own().items()}}


def write(folder: Path) -> None:
    """Write every page, and remove those of rules that are gone."""
    made = pages()
    folder.mkdir(parents=True, exist_ok=True)
    for old in set(folder.glob("*.md")) - {folder / name for name in made}:
        old.unlink()
    for name, content in made.items():
        (folder / name).write_text(content, encoding="utf-8")


def parity(rule: type[Rule]) -> str:
    """How a rule is held to be right."""
    if rule.twin:
        own = {h.name for h in rule.hypers()}
        where = ", ".join(f"{name}={value!r}" for name, value in rule.twin_at.items() if name in own)
        equal = f"equal to the bit in float32 over 200 steps{' where ' if where else ''}{where}"
        return f"`{rule.twin}`, {equal}: `optselect parity {rule.name}`."
    if rule.__module__ not in {f"optselect.optim.rules.{name}" for name in RULES}:
        return "No Keras class equals it; its own package holds it, with `optselect.testing`."
    beside = f" and to the numbers of {rule.references}" if rule.references else ""
    return f"No Keras class equals it; held in float64 to an independent formula of the paper{beside}."


def citations(paper: str) -> list[str]:
    """A BibTeX entry for each paper of a rule's `paper`.

    >>> citations("Zeiler 2012, arXiv:1212.5701")
    ['@misc{zeiler2012, author = {Zeiler}, year = {2012}, eprint = {1212.5701}, archivePrefix = {arXiv}}']
    """
    made = []
    for part in paper.split("; "):
        match = _PAPER.fullmatch(part)
        if match is None:
            raise ValueError(f"`paper`: write 'Authors YEAR, where', or 'what: Authors YEAR, where', got {part!r}.")
        authors = match["authors"].replace(" et al.", " and others").replace(" & ", " and ")
        fields = {"author": authors, "year": match["year"]}
        where = match["where"] or ""
        if where.startswith("arXiv:"):
            fields |= {"eprint": where.removeprefix("arXiv:"), "archivePrefix": "arXiv"}
        elif where:
            fields["howpublished"] = where
        notes = "; ".join(note for note in (match["about"], match["note"]) if note)
        fields |= {"note": notes} if notes else {}
        key = re.sub(r"\W", "", authors.split(" and ")[0]).lower() + match["year"]
        made.append(f"@misc{{{key}, {', '.join(f'{k} = {{{v}}}' for k, v in fields.items())}}}")
    return made


def searched(search: Search | None) -> str | None:
    """Where a search looks, in words; None where it does not.

    >>> from optselect.optim.hyperparameters import log
    >>> searched(log(1e-5, 0.1, from_trials=10))
    '1e-05 to 0.1, log-uniform, from 10 trials of the arm'
    """
    if search is None:
        return None
    later = f", from {search.from_trials} trials of the arm" if search.from_trials else ""
    if search.scale == "choice":
        return " or ".join(str(c).lower() for c in search.choices) + later
    scale = {"log": "log-uniform", "linear": "uniform", "log1m": "1 - value log-uniform"}[search.scale]
    return f"{search.low:g} to {search.high:g}, {scale}{later}"


def summary(rule: type[Rule]) -> str:
    """What a rule does, in one line."""
    return _documentation(rule).partition("\n")[0]


def _documentation(rule: type[Rule]) -> str:
    """A rule's docstring without its example."""
    return (inspect.getdoc(rule) or "").split("\n>>>")[0].rstrip()


def _number(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
