"""What a page takes from the repository when the site is built, so that nobody keeps a list.

A page asks for it by a comment, which GitHub does not show:

    <!-- found: guides -->      a table of contents of the pages that the landing page does not name
    <!-- found: numbers -->     the README's section on its numbers
    <!-- found: records -->     every folder of examples/records: what it shows, and its files

Links to records lead to the page of the numbers, those to other folders of the repository become plain words.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

__all__ = ["FOUND", "rewritten", "setup"]

ROOT = Path(__file__).parents[2]
_RECORDS = ROOT / "examples" / "records"
_LINK = re.compile(r"(?<!!)\[(?P<words>[^\[\]]*)\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")
_MARK = re.compile(r"^<!-- found: (?P<name>\w+) -->$", re.MULTILINE)
_COLUMNS = re.compile(r"\S {3,}\S")
_FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<language>.*)$")


def _guides() -> str:
    docs = ROOT / "docs"
    named = (docs / "index.md").read_text(encoding="utf-8")
    pages = sorted(page.stem for page in docs.glob("*.md") if not re.search(rf"^{page.stem}$", named, re.MULTILINE))
    rest = [page for page in pages if page != "index"]
    return "\n".join(["```{toctree}", ":caption: Guides", ":hidden:", "", *rest, "```"])


def _numbers() -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## Numbers\n")[2].partition("\n## ")[0].strip()
    return _LINK.sub(lambda link: f"[{link['words']}](../{link['path']}{link['anchor'] or ''})", section)


def _records() -> str:
    return "\n\n".join(_record(folder) for folder in sorted(_RECORDS.iterdir()) if folder.is_dir())


def _record(folder: Path) -> str:
    """A section: the words of its README, its pictures, and its files."""
    words = re.sub(r"^#.*\n", "", _words(folder), flags=re.MULTILINE)
    words = _LINK.sub(lambda link: link["words"], words)
    found = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != "README.md"]
    here = {file.relative_to(folder).as_posix(): os.path.relpath(file, ROOT / "docs") for file in found}
    pictures = [f"![{name}]({path})" for name, path in here.items() if name.endswith((".png", ".gif"))]
    files = {name: path for name, path in here.items() if not name.endswith((".png", ".gif"))}
    # A Markdown file would have to be a page of the site.
    links = ", ".join(f"`{name}`" if name.endswith(".md") else f"[{name}]({path})" for name, path in files.items())
    return "\n\n".join([f"({folder.name})=", f"### {folder.name}", words.strip(), *pictures, f"Files: {links}"])


def _words(folder: Path) -> str:
    """What a record says of itself: its README, or the command on the first line of a log."""
    if (folder / "README.md").exists():
        return (folder / "README.md").read_text(encoding="utf-8")
    logs = [log for log in sorted(folder.rglob("*")) if log.suffix in {".log", ".txt"}]
    firsts = [log.read_text(encoding="utf-8").partition("\n")[0] for log in logs]
    return ", ".join(f"`{first[2:]}`" for first in firsts if first.startswith("$ "))


FOUND = {"guides": _guides, "numbers": _numbers, "records": _records}


def rewritten(text: str, page: str) -> str:
    """A page's source with what it asks for filled in, and with links that the site can follow.

    page: its name, with folders and without suffix.
    """
    text = _MARK.sub(lambda mark: FOUND[mark["name"]](), text)
    lines, fence = [], ""
    source = text.split("\n")
    for number, line in enumerate(source):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found["ticks"]
            line = line if found["language"] else line + _plain(source[number + 1 :], fence)
        elif found and found[0] == fence:
            fence = ""
        elif not fence:
            line = _LINK.sub(lambda link: _followed(link, page), line)
        lines.append(line)
    return "\n".join(lines)


def _plain(following: list[str], fence: str) -> str:
    """A language without colours for a block that names none: "none" where columns must stay, "text" may wrap."""
    block = following[: following.index(fence)] if fence in following else following
    return "none" if any(_COLUMNS.search(line) for line in block) else "text"


def _followed(link: re.Match[str], page: str) -> str:
    """A link to a folder as the site has it: records have a section, other folders only a name."""
    target = (ROOT / "docs" / page).parent / link["path"]
    if not target.is_dir():
        return link[0]
    target = target.resolve()
    if target.parent == _RECORDS:
        up = "../" * (len(PurePosixPath(page).parts) - 1)
        return f"[{link['words']}]({up}numbers.md#{target.name})"
    inside = target / "README.md" if (target / "README.md").exists() else target / "index.md"
    if inside.exists() and ROOT / "docs" in inside.parents:
        return f"[{link['words']}]({os.path.relpath(inside, (ROOT / 'docs' / page).parent)})"
    return f"{link['words']} (`{target.relative_to(ROOT).as_posix()}`)"


def _read(app: Any, page: str, source: list[str]) -> None:
    source[0] = rewritten(source[0], page)
    if page == "optimizers/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n[a-z]*\n```\n"


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
