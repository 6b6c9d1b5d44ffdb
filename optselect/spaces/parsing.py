"""From the tree of a YAML file to a space, with every mistake noted at its place.

Without `base` a file says which members there are, and what it does not say of a member is as the rules declare; a
range that it names is searched from an arm's first trial. With `base` it changes what it names.
"""

from __future__ import annotations

import dataclasses
import graphlib
from collections.abc import Iterator, Mapping

from optselect.errors import UnknownName
from optselect.optim.hyperparameters import Search
from optselect.optim.rule import Rule
from optselect.spaces import searches
from optselect.spaces.coupling import in_order, leaning_mistakes
from optselect.spaces.document import Mistakes, Node, nearest
from optselect.spaces.families import FAMILIES, SHARED, Member, Members, declared, defaults, hypers, member
from optselect.spaces.space import Space, default_space

__all__ = ["build"]

_NEARLY_OFF = ("no", "none", "never", "remove", "drop", "OFF", "Off")
_KEYS = ["base", "description", *FAMILIES, "batch_size"]


def build(tree: Node, mistakes: Mistakes, *, name: str, base: Space | None) -> Space:
    """The space of a tree. It is worth nothing if there are mistakes."""
    start = base or default_space()
    if tree.entries is None:
        mistakes.add(tree, "a space is a mapping with `optimizers`, or with `base` and what changes.")
        return start
    for key, _ in tree.entries:
        if key.value not in _KEYS:
            mistakes.add(key, f"unknown key {key.value!r}. {nearest(key.value, _KEYS)}")
    given = tree.named()
    places = {key.value: key for key, _ in tree.entries}
    found: dict[str, Members] = {section: getattr(start, section) for section in FAMILIES}
    for section in [s for s in FAMILIES if s in given]:
        reader = _Section(section, getattr(base, section) if base else None, mistakes)
        found[section] = reader.read(given[section], places[section])
    arms = _narrowed_arms(found, given.get("optimizers"), places.get("schedules", tree), mistakes)
    sizes = searches.batch_size(given["batch_size"], start.batch_size, mistakes) if "batch_size" in given else None
    return Space(
        name=name,
        description=_description(given, mistakes) or (base.description if base else ""),
        optimizers=arms,
        schedules=found["schedules"],
        clipping=found["clipping"],
        batch_size=sizes or start.batch_size,
    )


def _description(given: Mapping[str, Node], mistakes: Mistakes) -> str:
    node = given.get("description")
    if node is None:
        return ""
    if not isinstance(node.value, str):
        mistakes.add(node, f"`description` must be a text, got {node}.")
        return ""
    return " ".join(node.value.split())


class _Section:
    """Reads the members of one family. base: those of the space that the file starts from, if it does from one."""

    def __init__(self, section: str, base: Members | None, mistakes: Mistakes) -> None:
        self.section, self.base, self.mistakes = section, base, mistakes

    def read(self, node: Node, place: Node) -> Members:
        if node.elements is not None:
            pairs = [(element, Node(element.line, element.column)) for element in node.elements]
        elif node.entries is not None:
            pairs = [(key, value) for key, value in node.entries if not self._others(key, value)]
        else:
            self._wrong(node if node.value is not None else place, self._must_name(node))
            return {}
        changes = self.base is not None and node.elements is None and "others" not in node.named()
        found, before = dict(self.base or {}) if changes else {}, len(self.mistakes)
        for key, of, body in self._known(pairs):
            if _is_off(body):
                self._take_away(key, body, found)
            else:
                found[key] = self._searches(key, of, body)
        if not found and len(self.mistakes) == before:
            self._wrong(place, self._must_name(node))
        return found

    def _must_name(self, node: Node) -> str:
        hint = f" Write [{node.value}]." if node.value in FAMILIES[self.section] else ""
        return f"must name at least one of: {', '.join(FAMILIES[self.section])}.{hint}"

    def _others(self, key: Node, value: Node) -> bool:
        """Whether it is the line `others: off`, which takes away what the file does not name."""
        if key.value != "others":
            return False
        if self.base is None:
            self._wrong(key, "`others: off` goes with a `base`; this file names all there is. Leave it out.")
        elif not _is_off(value):
            self._wrong(value, f"`others` can be off only, got {value}.")
        return True

    def _known(self, pairs: list[tuple[Node, Node]]) -> Iterator[tuple[str, Member, Node]]:
        """Keys, members and bodies of the pairs whose names are known."""
        seen: set[str] = set()
        for name, body in pairs:
            if not isinstance(name.value, str):
                self._wrong(name, f"a name is expected, got {name}. Quote it if it is one: {str(name)!r}.")
                continue
            try:
                of = member(self.section, name.value)
            except UnknownName as error:
                self._wrong(name, str(error).split(" Known: ")[0].removeprefix("Rule: "))
                continue
            key = of.key if isinstance(of, Rule) else of.name
            if key in seen:
                self._wrong(name, f"{key} is there twice.")
            seen.add(key)
            yield key, of, body

    def _take_away(self, key: str, body: Node, found: dict[str, Mapping[str, Search]]) -> None:
        if self.base is None:
            self._wrong(body, f"`{key}: off` takes it from a `base`, and this file has none. Leave the line out.")
        elif key not in self.base:
            self._wrong(body, f"`{key}: off`, but the base has none. {nearest(key, self.base)}")
        found.pop(key, None)

    def _searches(self, key: str, of: Member, body: Node) -> Mapping[str, Search]:
        start = (self.base or {}).get(key)
        found = dict(declared(of) if start is None else start)
        if body.entries is None:
            if not body.single or body.value is not None:
                hint = " To take it away write off." if self.base is not None and body.value in _NEARLY_OFF else ""
                self.mistakes.add(body, f"{key}: must be a mapping of hyperparameters, got {body}.{hint}")
            return found
        known, before = hypers(of), len(self.mistakes)
        for name, value in body.entries:
            if name.value in known:
                begin = found.get(name.value)
                if begin is not None and self.base is None:  # what the file names is searched from the first trial
                    begin = dataclasses.replace(begin, from_trials=0, when=(), per="")
                reader = searches.Reader(member=key, name=name.value, hypers=known, mistakes=self.mistakes)
                search = reader.read(value, begin)
                found |= {name.value: search} if search else {}
            elif self.section == "optimizers" and name.value in SHARED:
                found[name.value] = self._narrowing(f"{key}.{name.value}", name.value, value)
            else:
                names = [*known, *(SHARED if self.section == "optimizers" else ())]
                hint = nearest(name.value, names) if names else "It has none."
                self.mistakes.add(name, f"{key}: unknown hyperparameter {name.value!r}. {hint}")
        if len(self.mistakes) == before:
            self._check_leaning(key, of, body, found)
        return found

    def _narrowing(self, where: str, name: str, node: Node) -> Search:
        """An arm's own `schedule`, `clipping` or `batch_size`."""
        if name == "batch_size":
            return searches.batch_size(node, Search("choice"), self.mistakes, where)
        nodes = (node,) if node.elements is None else node.elements
        if not nodes:
            self.mistakes.add(node, f"{where}: no name to choose from.")
        family = FAMILIES[SHARED[name]]
        for one in nodes:
            if not isinstance(one.value, str) or one.value not in family:
                self.mistakes.add(one, f"{where}: no {one}. {nearest(one.value, family)}")
        return Search("choice", choices=tuple(one.value for one in nodes))

    def _check_leaning(self, key: str, of: Member, body: Node, found: Mapping[str, Search]) -> None:
        own = {name: search for name, search in found.items() if name not in SHARED}
        try:
            list(in_order(own))
        except graphlib.CycleError as error:
            self.mistakes.add(body, f"{key}: these wait for each other: {' → '.join(reversed(error.args[1]))}.")
        for name, node in body.named().items():
            if name in own and node.named().keys() & {"when", "per"}:
                place = node.named().get("when") or node.named()["per"]
                for text in leaning_mistakes(f"{key}.{name}", hypers(of), defaults(of), own, name):
                    self.mistakes.add(place, text)

    def _wrong(self, place: Node, text: str) -> None:
        self.mistakes.add(place, f"{self.section}: {text}")


def _is_off(node: Node) -> bool:
    return node.single and (node.value == "off" or node.value is False)


def _narrowed_arms(
    found: Mapping[str, Members], node: Node | None, place: Node, mistakes: Mistakes
) -> dict[str, Mapping[str, Search]]:
    """The arms, each with those of the schedules and clippings that it goes with and that there are."""
    bodies = node.named() if node else {}
    arms: dict[str, Mapping[str, Search]] = {}
    for key, own in found["optimizers"].items():
        kept = dict(own)
        for name, section in SHARED.items():
            if name in kept and section in found:
                there = tuple(choice for choice in kept[name].choices if choice in found[section])
                if not there and all(choice in FAMILIES[section] for choice in kept[name].choices or [""]):
                    at = bodies[key].named().get(name, place) if key in bodies else place
                    names = " or ".join(map(str, kept[name].choices))
                    mistakes.add(at, f"{key}: goes with {names} only, which is not among the {section} of this space.")
                kept[name] = dataclasses.replace(kept[name], choices=there)
        arms[key] = kept
    return arms
