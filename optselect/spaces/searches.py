"""The search of one hyperparameter, as a file has it: a value, a list of choices, or a range."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from optselect.optim.hyperparameters import Hyper, Search
from optselect.spaces.coupling import partner
from optselect.spaces.document import Mistakes, Node, nearest, spelt

__all__ = ["Reader", "batch_size"]

_SCALES = ("linear", "log", "log1m")
_KEYS = ("low", "high", "scale", "choices", "from_trials", "when", "per")
_FLAGS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_NUMERIC = re.compile(r"[-+]?(0[xo])?[0-9.][0-9a-fA-F_.,]*([eE][-+]?[0-9]+)?")
_PLAINLY = " That is a text: write a number plainly, like 1000 or 1e-3, without quotes."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads the search of one hyperparameter.

    member: whose it is, for messages. hypers: all of that member, for conditions.
    """

    member: str
    name: str
    hypers: Mapping[str, Hyper]
    mistakes: Mistakes

    def read(self, node: Node, start: Search | None) -> Search | None:
        """The search that a node says; what it does not say is as in `start`. None if it says none."""
        if node.entries is None:
            nodes = (node,) if node.elements is None else node.elements
            return self._choices(self._hyper, nodes, node, Search("choice"))
        given = node.named()
        for key, _ in node.entries:
            if key.value not in _KEYS:
                self._wrong(key, f"unknown key {key.value!r}. {nearest(key.value, _KEYS)}")
        extra: dict[str, Any] = {}
        if "from_trials" in given:
            extra["from_trials"] = _from_trials(self._where, given["from_trials"], self.mistakes)
        if "when" in given:
            extra["when"] = self._when(given["when"])
        if "choices" in given:
            kept = dataclasses.replace(start or Search("choice"), scale="choice", low=0.0, high=0.0, per="", **extra)
            return self._listed(given, kept)
        if start is not None and not given.keys() & {"low", "high", "scale", "per"}:
            return dataclasses.replace(start, **extra)
        return self._range(node, start, extra)

    @property
    def _hyper(self) -> Hyper:
        return self.hypers[self.name]

    @property
    def _where(self) -> str:
        return f"{self.member}.{self.name}"

    def _wrong(self, place: Node, text: str) -> None:
        self.mistakes.add(place, f"{self._where}: {text}")

    # -- choices ------------------------------------------------------------------------------------------------

    def _listed(self, given: Mapping[str, Node], kept: Search) -> Search:
        for key in ("low", "high", "scale", "per"):
            if key in given:
                self._wrong(given[key], f"`{key}` does not go with `choices`. Leave one of them out.")
        node = given["choices"]
        if node.elements is None:
            self._wrong(node, f"`choices` must be a list, got {node}.")
            return kept
        return self._choices(self._hyper, node.elements, node, kept)

    def _choices(self, hyper: Hyper, nodes: Sequence[Node], place: Node, kept: Search, what: str = "") -> Search:
        values = tuple(self._value(hyper, node, what) for node in nodes)
        _distinct(self._where, nodes, place, self.mistakes)
        return dataclasses.replace(kept, choices=values)

    def _value(self, hyper: Hyper, node: Node, what: str = "") -> Any:
        """A number or flag in the hyperparameter's domain; None with a mistake noted if it is none."""
        value = node.value if node.single else None
        if value is not None and hyper.domain.contains(value):
            return bool(value) if hyper.domain.boolean else float(value)
        hint = ""
        if hyper.domain.boolean and isinstance(value, str) and value.lower() in _FLAGS:
            hint = f" In YAML 1.2 that is a text: write {_FLAGS[value.lower()]}."
        elif not hyper.domain.boolean and isinstance(value, str) and _NUMERIC.fullmatch(value):
            hint = _PLAINLY
        self._wrong(node, f"{what}must lie in {hyper.domain}, got {node}.{hint}")
        return None

    # -- ranges -------------------------------------------------------------------------------------------------

    def _range(self, node: Node, start: Search | None, extra: Mapping[str, Any]) -> Search | None:
        given = node.named()
        whole = {"low", "high"} <= given.keys()
        known = start if start is not None and start.scale != "choice" else None
        if self._hyper.domain.boolean:
            self._wrong(node, "a flag has no range; write true, false or [false, true].")
            return start
        if known is None and not whole:
            self._wrong(node, "a range needs `low` and `high`.")
            return start
        per = self._per(given["per"]) if "per" in given else known.per if known and not whole else ""
        scale = self._scale(given["scale"]) if "scale" in given else known.scale if known else "linear"
        low = self._bound("low", given["low"], quotient=bool(per)) if "low" in given else known.low if known else None
        high = (
            self._bound("high", given["high"], quotient=bool(per)) if "high" in given else known.high if known else None
        )
        if low is None or high is None or scale is None or per is None:
            return start
        text = _range_mistake(self.name, low, high, scale, per)
        if text:
            text += f" Its scale is {scale} if no `scale` is given." if "scale" in text and "scale" not in given else ""
            self._wrong(given.get("low") or given.get("high") or node, text)
            return start
        made = dataclasses.replace(start or Search("linear"), choices=(), low=low, high=high, per=per, **extra)
        return dataclasses.replace(made, scale=scale)

    def _scale(self, node: Node) -> Any:
        if node.value in _SCALES:
            return node.value
        self._wrong(node, f"unknown scale {node}. {nearest(node.value, _SCALES)}")
        return None

    def _bound(self, end: str, node: Node, *, quotient: bool = False, of: Hyper | None = None) -> float | None:
        """`low` or `high`, in the domain if it is not a quotient's."""
        value, hyper = node.value, of or self._hyper
        if node.single and isinstance(value, (int, float)) and not isinstance(value, bool):
            if not math.isfinite(value):
                self._wrong(node, f"`{end}` must be finite, got {node}.")
                return None
            return float(value) if quotient else self._value(hyper, node, f"`{end}` ")
        hint = _PLAINLY if isinstance(value, str) and _NUMERIC.fullmatch(value) else ""
        self._wrong(node, f"`{end}` must be a number, got {node}.{hint}")
        return None

    def _per(self, node: Node) -> str | None:
        other = partner(node.value) if isinstance(node.value, str) else None
        others = [name for name, h in self.hypers.items() if name != self.name and not h.domain.boolean]
        if other in others:
            return str(node.value)
        written = f"Write NAME, 1-NAME or sqrt(NAME) with one of: {', '.join(others)}."
        hint = nearest(other, others) if other else written
        self._wrong(node, f"`per` must name another number of the optimizer, got {node}. {hint}")
        return None

    # -- conditions ---------------------------------------------------------------------------------------------

    def _when(self, node: Node) -> tuple[tuple[str, Search], ...]:
        if not node.entries:
            self._wrong(node, f"`when` must say another's values, as in {{nesterov: true}}, got {node}.")
            return ()
        others = {name: hyper for name, hyper in self.hypers.items() if name != self.name}
        found = []
        for key, value in node.entries:
            if key.value in others:
                found.append((key.value, self._allowed(others[key.value], value)))
            else:
                named = "itself" if key.value == self.name else repr(key.value)
                self._wrong(key, f"`when` names {named}. {nearest(key.value, others)}")
        return tuple(found)

    def _allowed(self, hyper: Hyper, node: Node) -> Search:
        """The values of a condition as a search: choices or a range, which may be open to one side."""
        if node.entries is None:
            nodes = (node,) if node.elements is None else node.elements
            return self._choices(hyper, nodes, node, Search("choice"), f"`when` {hyper.name} ")
        ends = {"low": -math.inf, "high": math.inf}
        for key, value in node.entries:
            if key.value not in ends or hyper.domain.boolean:
                self._wrong(key, f"unknown key {key.value!r}. Write values, or a `low` or `high` of a number.")
                continue
            bound = self._bound(key.value, value, of=hyper)
            ends[key.value] = ends[key.value] if bound is None else bound
        if ends["low"] > ends["high"]:
            self._wrong(node, f"low {spelt(ends['low'])} is above high {spelt(ends['high'])}. Swap them?")
        return Search("linear", ends["low"], ends["high"])


def batch_size(node: Node, start: Search, mistakes: Mistakes, where: str = "batch_size") -> Search:
    """The batch sizes that a node says: a number, a list, or a mapping of `choices` and `from_trials`."""
    keys = ("choices", "from_trials")
    given = {"choices": node} if node.entries is None else node.named()
    for key, _ in node.entries or ():
        if key.value not in keys:
            mistakes.add(key, f"{where}: unknown key {key.value!r}. {nearest(key.value, keys)}")
    from_trials = 0 if node.entries is None else start.from_trials
    if "from_trials" in given:
        from_trials = _from_trials(where, given["from_trials"], mistakes)
    if "choices" not in given:
        return dataclasses.replace(start, from_trials=from_trials)
    listed = given["choices"]
    nodes = (listed,) if listed.elements is None else listed.elements
    for one in nodes:
        if one.value != "full" and (isinstance(one.value, bool) or not isinstance(one.value, int) or one.value < 1):
            mistakes.add(one, f"{where}: {one} is neither a whole number from 1 nor full.")
    _distinct(where, nodes, listed, mistakes)
    return Search("choice", choices=tuple(one.value for one in nodes), from_trials=from_trials)


def _range_mistake(name: str, low: float, high: float, scale: str, per: str) -> str:
    if low > high:
        return f"low {spelt(low)} is above high {spelt(high)}. Swap them?"
    if low == high:
        return f"low and high are both {spelt(low)}. Fix it: `{name}: {spelt(low)}`."
    if scale == "log" and low <= 0:
        return f"a log scale needs `low` above 0, got {spelt(low)}."
    if scale == "log1m" and not (low >= 0 and high < 1):
        return f"a log1m scale needs `low` from 0 and `high` below 1, got {spelt(low)} and {spelt(high)}."
    return "`per` goes with the scales log and linear." if scale == "log1m" and per else ""


def _from_trials(where: str, node: Node, mistakes: Mistakes) -> int:
    if isinstance(node.value, bool) or not isinstance(node.value, int) or node.value < 0:
        mistakes.add(node, f"{where}: `from_trials` must be a whole number from 0, got {node}.")
        return 0
    return node.value


def _distinct(where: str, nodes: Sequence[Node], place: Node, mistakes: Mistakes) -> None:
    if not nodes:
        mistakes.add(place, f"{where}: no value to choose from.")
    seen: list[Any] = []
    for node in nodes:
        if node.single and node.value in seen:
            mistakes.add(node, f"{where}: {node} is there twice.")
        seen.append(node.value)
