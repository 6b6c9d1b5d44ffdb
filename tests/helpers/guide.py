"""The guide to adding an optimizer, taken apart: its files, and the commands of its sections."""

from __future__ import annotations

import re

from tests.helpers import ROOT

__all__ = ["FILES", "commands"]

_TEXT = (ROOT / "docs" / "add-an-optimizer.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^\*\*`([\w./]+)`\*\*[^\n]*\n\n```\w+\n(.*?)^```", _TEXT, re.DOTALL | re.MULTILINE))


def commands(section: str) -> list[str]:
    """The shell commands of the section of that number, in their order."""
    text = re.split(r"(?m)^## ", _TEXT.partition(f"\n## {section}.")[2])[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line]
