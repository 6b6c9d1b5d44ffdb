"""Links of the pages lead somewhere, their Python runs, no record is left out. The site is built by `just docs`."""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.helpers import ROOT

DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
PAGES = [
    page
    for page in sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *EXAMPLES.rglob("README.md")])
    if "_build" not in page.parts
]
TUTORIALS = [page for page in PAGES if page.parent.name == "tutorials" and "```python\n" in page.read_text()]
RECORDS = [folder for folder in sorted((EXAMPLES / "records").iterdir()) if folder.is_dir()]

_FENCED = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"\]\(([^)\s]+)\)|^:::\{(?:literalinclude|image)\} (\S+)$", re.MULTILINE)


def _named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _extension(name: str) -> ModuleType:
    """A module of docs/_ext, which is no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _targets(page: Path) -> Iterator[str]:
    """What a page links to, shows or includes, outside of code; addresses of the web left out."""
    for match in _TARGET.finditer(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        target = match[1] or match[2]
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    prose = _FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_what_a_page_names_is_there(page: Path) -> None:
    """Every link, picture and included file of a page exists, and so does the heading that a link asks for."""
    for target in _targets(page):
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), f"{_named(page)}: {target} is not there"
        assert there.resolve().is_relative_to(ROOT), f"{_named(page)}: {target} lies outside of the repository"
        assert not anchor or anchor in _anchors(there), f"{_named(page)}: no heading for {target}"


def _python_of(page: Path) -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return "\n".join(blocks)


def _run_tutorial(code: str, folder: Path) -> None:
    """In a folder with the data and the model that tutorials name."""
    for file in (EXAMPLES / "data" / "penguins.csv", EXAMPLES / "own_model.py"):
        shutil.copy(file, folder)
    (folder / "page.py").write_text(code, encoding="utf-8")
    command, environment = [sys.executable, "page.py"], os.environ | {"MLFLOW_TRACKING_URI": "sqlite:///team.db"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", TUTORIALS, ids=_named)
def test_a_tutorials_python_runs(page: Path, tmp_path: Path) -> None:
    """Its blocks run one after the other, with fewer trials and epochs and nothing else changed."""
    code = re.sub(r"\btrials=\d+", "trials=6", re.sub(r"\bepochs=\d+", "epochs=2", _python_of(page)))
    _run_tutorial(code, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=_named)
def test_a_tutorials_python_runs_as_it_stands(page: Path, tmp_path: Path) -> None:
    """With the page's own numbers."""
    _run_tutorial(_python_of(page), tmp_path)


@pytest.mark.parametrize("record", RECORDS, ids=lambda folder: folder.name)
def test_a_record_says_what_made_it(record: Path) -> None:
    """The page of the numbers has its section, with the command that made it and every file."""
    page = _extension("found_pages").rewritten((DOCS / "numbers.md").read_text(encoding="utf-8"), "numbers")
    section = page.partition(f"\n### {record.name}\n")[2].partition("\n### ")[0]
    assert re.search(r"`[^`]*\b(python|just|optselect|pytest)\b[^`]*`", section), (
        f"{_named(record)}: add a README.md with the command that made it, in backticks"
    )
    for file in (file for file in record.rglob("*") if file.is_file() and file.name != "README.md"):
        shown = f"`{file.relative_to(record)}`" if file.suffix == ".md" else f"../{file.relative_to(ROOT)}"
        assert shown in section


def test_no_guide_is_missing_in_the_contents() -> None:
    """A page that is put into docs is in the table of contents, whether or not the landing page names it."""
    page = _extension("found_pages").rewritten((DOCS / "index.md").read_text(encoding="utf-8"), "index")
    for guide in DOCS.glob("*.md"):
        assert guide.stem == "index" or re.search(rf"^{guide.stem}$", page, re.MULTILINE)


def test_links_of_a_page_lead_to_what_the_site_has() -> None:
    """A folder of records becomes its section, another folder a name; code keeps what looks like a link."""
    rewritten = _extension("found_pages").rewritten
    record = RECORDS[0].name
    link = f"[log](../examples/records/{record})"
    assert rewritten(link, "start") == f"[log](numbers.md#{record})"
    assert rewritten(f"[log](../../examples/records/{record})", "decisions/index") == f"[log](../numbers.md#{record})"
    assert rewritten("[some](../examples)", "start") == "some (`examples`)"
    assert rewritten("[rules](optimizers)", "start") == "[rules](optimizers/README.md)"
    assert rewritten("[a page](verdict.md)", "start") == "[a page](verdict.md)"
    assert rewritten(f"```\n{link}\n```\n```yaml\na: 1\n```", "start") == f"```text\n{link}\n```\n```yaml\na: 1\n```"
    assert rewritten("```\na    b\n```", "start") == "```none\na    b\n```"  # columns do not wrap


def test_help_becomes_markup() -> None:
    """The example of the module that reads a command's help holds."""
    assert doctest.testmod(_extension("command_help")).failed == 0
