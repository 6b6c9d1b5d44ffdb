"""Finding and loading spaces: shipped ones by name, others by path, each from the space that it starts from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from optselect.errors import InvalidSpace, UnknownName
from optselect.spaces.document import Mistake, Mistakes, Node, nearest, read
from optselect.spaces.families import FAMILIES, declared_members
from optselect.spaces.parsing import build
from optselect.spaces.space import Space, default_space

__all__ = ["available", "check", "find", "load_space"]


def available() -> dict[str, Path]:
    """The search spaces that come with the package.

    Returns
    -------
    dict of str to Path
        Files by name.

    Examples
    --------
    >>> "default" in available()
    True
    """
    package = Path(__file__).parent.parent
    inside = package / "search_spaces"
    folder = inside if inside.is_dir() else package.parent / "search_spaces"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find(reference: str | Path) -> Path:
    """Find the file of a search space.

    Parameters
    ----------
    reference : str or Path
        Name of a space that comes with the package, or a path.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UnknownName
        If it is neither.

    Examples
    --------
    >>> find("default").name
    'default.yaml'
    """
    path = available().get(str(reference), Path(reference))
    if not _is_file(path):
        hint = nearest(reference, available())
        raise UnknownName(f"Space: {str(reference)!r} is neither a file nor a shipped space. {hint}")
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # longer than the file system takes, or with a null character
        return False


def load_space(reference: str | Path | None) -> Space:
    """Load a search space.

    Parameters
    ----------
    reference : str or Path or None
        Name of a space that comes with the package, or a YAML file; None for the default.

    Returns
    -------
    Space
        The space.

    Raises
    ------
    UnknownName
        If it is neither.
    InvalidSpace
        If the file has mistakes; the message lists all of them with line and column.

    Examples
    --------
    >>> load_space("default").digest() == load_space(None).digest()
    True
    """
    if reference is None:
        return default_space()
    path = find(reference)
    space, mistakes = _read(path, ())
    if space is None:
        lines = [f"  {path}:{m.line}:{m.column}: {m.text}" if m.line else f"  {path}: {m.text}" for m in mistakes]
        count = f"{len(lines)} mistake{'s' * (len(lines) > 1)}"
        raise InvalidSpace("\n".join([f"Space {path.name!r} has {count}:", *lines]))
    return space


def check(reference: str | Path) -> tuple[Mistake, ...]:
    """Check a search-space file.

    Parameters
    ----------
    reference : str or Path
        Name of a space that comes with the package, or a path.

    Returns
    -------
    tuple of Mistake
        All mistakes in the order of their lines; empty if there are none.

    Raises
    ------
    UnknownName
        If it is neither.

    Examples
    --------
    >>> check("default")
    ()
    """
    return tuple(_read(find(reference), ())[1])


def _read(path: Path, above: tuple[Path, ...]) -> tuple[Space | None, Mistakes]:
    """A space and its mistakes; no space if there are some. above: the files that start from this one."""
    tree, mistakes = read(path)
    if tree is None:
        return None, mistakes
    node = tree.named().get("base")
    base = _base(node, path, above, mistakes) if node else None
    space = build(tree, mistakes, name=path.stem, base=base)
    return (None if mistakes else space), mistakes


def _base(node: Node, path: Path, above: tuple[Path, ...], mistakes: Mistakes) -> Space:
    """The space that a file starts from: a shipped one, or a file beside it."""
    if not isinstance(node.value, str):
        mistakes.add(node, f"`base` must be the name of a shipped space or a file, got {node}.")
        return _everything()
    try:
        found = available().get(node.value) or find(path.parent / node.value)
    except UnknownName:
        hint = nearest(node.value, available())
        mistakes.add(node, f"`base`: {node} is neither a shipped space nor a file beside this one. {hint}")
        return _everything()
    chain = (*above, path.resolve())
    if found.resolve() in chain:
        names = " → ".join(p.name for p in (*chain[chain.index(found.resolve()) :], found))
        mistakes.add(node, f"`base` goes in a circle: {names}.")
        return _everything()
    space, wrong = _read(found, chain)
    if space is None:
        first = next(iter(wrong))
        count = f"{len(wrong)} mistake{'s' * (len(wrong) > 1)}"
        mistakes.add(node, f"`base`: {found.name} has {count} itself, the first in line {first.line}: {first.text}")
        return _everything()
    return space


def _everything() -> Space:
    """All that there is: stands for a base that cannot be read, so that the rest of a file can be checked."""
    optimizers, schedules, clipping = (declared_members(section, common=False) for section in FAMILIES)
    return dataclasses.replace(default_space(), optimizers=optimizers, schedules=schedules, clipping=clipping)
