"""Search spaces: from the rules' declarations or a YAML file to Optuna suggestions and a configuration."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from optselect.clipping import CLIPPINGS
from optselect.configuration import Configuration
from optselect.errors import InvalidSpace, UnknownName, suggestion
from optselect.hyper import Declared, Hyper, Search
from optselect.rule import Rule
from optselect.rules import RULES, parse
from optselect.schedules import SCHEDULES

__all__ = ["Space", "available", "default_space", "load_space", "write_yaml"]

Members = Mapping[str, Mapping[str, Search]]
_FAMILIES: dict[str, Mapping[str, type[Declared]]] = {
    "optimizers": RULES,
    "schedules": SCHEDULES,
    "clipping": CLIPPINGS,
}
_SCALES = ("linear", "log", "log1m")
_BATCH_SIZES = (16, 32, 64, 128, 256)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Space:
    """Where to search: an arm an optimizer, and what all arms share.

    optimizers, schedules, clipping: the members to try, each with the `Search` of its hyperparameters (a
    hyperparameter that is not there stays at its default). An optimizer goes by its `Rule.key`, "lookahead(adam)",
    and a hyperparameter of a wrapped rule by "rule." and its name. batch_size: as a `Search` too; "full" among its
    choices means the whole training set.
    """

    name: str
    optimizers: Members
    schedules: Members
    clipping: Members
    batch_size: Search

    def only(self, optimizers: Sequence[str]) -> Space:
        """The same space with these arms alone; one that it does not have is searched as its rule declares.

        Raises `UnknownName` for a name that is no rule's.

        >>> list(default_space().only(["adam", "sgd"]).optimizers)
        ['adam', 'sgd']
        """
        rules = [parse(name) for name in optimizers]
        arms = {rule.key: self.optimizers.get(rule.key) or _of_rule(rule) for rule in rules}
        return dataclasses.replace(self, optimizers=arms)

    def digest(self) -> str:
        """A short hash of everything but the name."""
        content = dataclasses.asdict(self)
        content.pop("name")
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    def suggest(self, trial: optuna.Trial, arm: str, *, share: int, rows: int) -> Configuration:
        """A configuration of an arm from an Optuna trial.

        share: how many trials the arm will have; with few, only what matters most is searched. rows: of the
        training part; larger batches are not offered.
        """
        searches = self.optimizers[arm]
        values = {name: _draw(trial, name, search) for name, search in searches.items() if share >= search.from_trials}
        rule = _with_values(parse(arm), values)
        schedule = self._one_of(trial, "schedule", SCHEDULES, self.schedules, share)
        clipping = self._one_of(trial, "clipping", CLIPPINGS, self.clipping, share)
        size: Any = 32
        if share >= self.batch_size.from_trials:
            sizes = _fitting(self.batch_size, rows)
            size = _draw(trial, "batch_size", sizes)
        return Configuration(rule=rule, schedule=schedule, clipping=clipping, batch_size=min(int(size), rows))

    def known(
        self, configuration: Configuration, *, share: int, rows: int
    ) -> tuple[dict[str, Any], dict[str, BaseDistribution]] | None:
        """The Optuna parameters and distributions that give a configuration; None if it lies outside the space."""
        trial = _Known(configuration)
        try:
            found = self.suggest(trial, configuration.rule.key, share=share, rows=rows)  # type: ignore[arg-type]
        except _OutsideError:
            return None
        return (trial.params, trial.distributions) if found == configuration else None

    def _one_of(self, trial: optuna.Trial, what: str, family: Mapping[str, Any], members: Members, share: int) -> Any:
        names = [n for n in members if share >= family[n].from_trials]
        if not names:
            names = list(members)
        name = names[0] if len(names) == 1 else trial.suggest_categorical(what, names)
        return _member(trial, family[name], members[name], share, prefix=f"{name}.")

    def to_dict(self) -> dict[str, Any]:
        """The YAML form."""
        return {
            "optimizers": _plain(self.optimizers),
            "schedules": _plain(self.schedules),
            "clipping": _plain(self.clipping),
            "batch_size": _yaml(self.batch_size),
        }


def default_space() -> Space:
    """The space that the rules themselves declare: every rule, the common schedules and clippings."""
    declared = {
        section: {name: _declared(kind) for name, kind in family.items() if kind.common}
        for section, family in _FAMILIES.items()
    }
    return Space(name="default", **declared, batch_size=Search("choice", choices=_BATCH_SIZES, from_trials=5))


def _declared(kind: type[Declared]) -> dict[str, Search]:
    return {h.name: h.search for h in kind.hypers() if h.search is not None}


def _of_rule(rule: Rule) -> dict[str, Search]:
    """The searches that a rule and those it wraps declare."""
    return {
        f"{'rule.' * depth}{name}": search
        for depth, part in enumerate(rule.parts)
        for name, search in _declared(type(part)).items()
    }


def _with_values(rule: Rule, values: Mapping[str, Any]) -> Rule:
    """The rule with some of its hyperparameters replaced, checked."""
    made: Rule | None = None
    for depth, part in reversed(list(enumerate(rule.parts))):
        prefix = "rule." * depth
        own = {name: values.get(prefix + name, value) for name, value in part.values().items()}
        wrapper: Any = type(part)
        made = wrapper(**own) if made is None else wrapper(**own, rule=made)
    assert made is not None
    return made


def available() -> dict[str, Path]:
    """The shipped spaces by name."""
    inside = Path(__file__).parent.parent / "search_spaces"
    folder = inside if inside.is_dir() else Path(__file__).parent.parent.parent / "search_spaces"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_space(reference: str | Path | None) -> Space:
    """A space by the name of a shipped one, or from a YAML file; None is the default.

    Raises `UnknownName` for a name that is neither, `InvalidSpace` with every mistake of the file, each with
    its line.
    """
    if reference is None:
        return default_space()
    shipped = available()
    path = shipped.get(str(reference), Path(reference))
    if not path.is_file():
        hint = suggestion(str(reference), shipped)
        raise UnknownName(f"Space: {str(reference)!r} is neither a file nor a shipped space. {hint}")
    return _Reader(path).read()


# -- Optuna -----------------------------------------------------------------------------------------------------


def _member(trial: optuna.Trial, kind: type[Declared], searches: Mapping[str, Search], share: int, prefix: str) -> Any:
    values = {
        name: _draw(trial, prefix + name, search) for name, search in searches.items() if share >= search.from_trials
    }
    return kind(**values)


def _draw(trial: optuna.Trial, name: str, search: Search) -> Any:
    """One value: floats to four significant digits, so that they survive float32 and read well."""
    if search.scale == "choice":
        if len(search.choices) == 1:
            return search.choices[0]
        return trial.suggest_categorical(name, search.choices)
    if search.scale == "log1m":
        rest = trial.suggest_float(f"1-{name}", round(1 - search.high, 12), round(1 - search.low, 12), log=True)
        return round(1 - float(f"{rest:.4g}"), 12)
    value = trial.suggest_float(name, search.low, search.high, log=search.scale == "log")
    return min(max(float(f"{value:.4g}"), search.low), search.high)


class _OutsideError(Exception):
    pass


class _Known:
    """Stands for an Optuna trial and answers with what a configuration has."""

    def __init__(self, configuration: Configuration) -> None:
        values: dict[str, Any] = configuration.rule.named_numbers()
        for what, part in (("schedule", configuration.schedule), ("clipping", configuration.clipping)):
            values[what] = part.name
            values |= {f"{part.name}.{name}": value for name, value in part.values().items()}
        rest = {f"1-{name}": round(1 - v, 12) for name, v in values.items() if isinstance(v, float)}
        self._values: dict[str, Any] = {**values, **rest, "batch_size": configuration.batch_size}
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return float(self._take(name, FloatDistribution(low, high, log=log)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._take(name, CategoricalDistribution(choices))

    def _take(self, name: str, distribution: BaseDistribution) -> Any:
        value = self._values[name]
        if isinstance(distribution, CategoricalDistribution):
            inside = value in distribution.choices
        else:
            inside = distribution.low <= value <= distribution.high  # type: ignore[attr-defined]
        if not inside:
            raise _OutsideError
        self.params[name], self.distributions[name] = value, distribution
        return value


def _fitting(search: Search, rows: int) -> Search:
    sizes = sorted({rows if size == "full" else int(size) for size in search.choices})
    return dataclasses.replace(search, choices=tuple(size for size in sizes if size <= rows) or (min(sizes[0], rows),))


# -- YAML -------------------------------------------------------------------------------------------------------


def _yaml(search: Search) -> Any:
    """A `Search` as `_search` reads it: a list, or a mapping where there is more to say."""
    later = {"from_trials": search.from_trials} if search.from_trials else {}
    if search.scale == "choice":
        choices = list(search.choices)
        return {"choices": choices, **later} if later else choices
    return {"low": search.low, "high": search.high, "scale": search.scale, **later}


def _plain(members: Members) -> dict[str, Any]:
    return {name: {key: _yaml(search) for key, search in searches.items()} for name, searches in members.items()}


class _Reader:
    """Reads one file, collecting all its mistakes with their lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mistakes: list[tuple[int, str]] = []

    def read(self) -> Space:
        document = self._load()
        sections = [*_FAMILIES, "batch_size", "description"]
        for key in document:
            if key not in sections:
                self._wrong(document, key, f"unknown key {key!r}. {suggestion(str(key), sections)}")
        base = default_space()
        fields: dict[str, Any] = {}
        for section, family in _FAMILIES.items():
            known = getattr(base, section)
            fields[section] = dict(self._members(document, section, family)) if section in document else known
        fields["batch_size"] = base.batch_size
        if "batch_size" in document:
            fields["batch_size"] = self._batch_size(document)
        if self.mistakes:
            lines = "\n".join(f"  {self.path}:{line}: {text}" for line, text in sorted(self.mistakes))
            count = len(self.mistakes)
            raise InvalidSpace(f"Space {self.path.name!r} has {count} mistake{'s' * (count > 1)}:\n{lines}")
        return Space(name=self.path.stem, **fields)

    def _load(self) -> Any:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError

        try:
            document = YAML(typ="rt").load(self.path.read_text(encoding="utf-8"))
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            problem = str(error.problem or error).split("\n")[0]
            raise InvalidSpace(f"Space {self.path.name!r} is not YAML:\n  {self.path}:{line}: {problem}") from None
        except UnicodeDecodeError as error:
            raise InvalidSpace(f"Space {self.path.name!r}: {self.path} is not UTF-8 ({error}).") from None
        if not hasattr(document, "lc") or not hasattr(document, "items"):
            raise InvalidSpace(f"Space {self.path.name!r}: {self.path}:1: must be a mapping with `optimizers`.")
        return document

    def _wrong(self, parent: Any, key: Any, text: str) -> None:
        try:
            line = parent.lc.key(key)[0] + 1
        except (AttributeError, KeyError, TypeError):
            line = 1
        self.mistakes.append((line, text))

    def _members(self, document: Any, section: str, family: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        members = document[section]
        if isinstance(members, list):
            members = dict.fromkeys(members)
        if not hasattr(members, "items") or not members:
            self._wrong(document, section, f"`{section}` must name at least one of: {', '.join(family)}.")
            return
        for name, body in members.items():
            try:
                member = parse(str(name)) if section == "optimizers" else family[str(name)]
            except (UnknownName, KeyError) as error:
                hint = str(error) if isinstance(error, UnknownName) else suggestion(str(name), family)
                parent, key = (members, name) if hasattr(members, "lc") else (document, section)
                self._wrong(parent, key, f"{section}: no {name!r}. {hint}")
                continue
            yield member.key if isinstance(member, Rule) else name, self._searches(members, name, member, body)

    def _searches(self, parent: Any, name: str, member: Any, body: Any) -> dict[str, Search]:
        parts = member.parts if isinstance(member, Rule) else (member,)
        hypers = {f"{'rule.' * d}{h.name}": h for d, part in enumerate(parts) for h in part.hypers()}
        searches = {key: h.search for key, h in hypers.items() if h.search is not None}
        if body is None:
            return searches
        if not hasattr(body, "items"):
            self._wrong(parent, name, f"{name}: must be a mapping of hyperparameters, got {body!r}.")
            return searches
        for key, value in body.items():
            if key not in hypers:
                self._wrong(body, key, f"{name}: unknown hyperparameter {key!r}. {suggestion(str(key), hypers)}")
                continue
            try:
                searches[key] = _search(f"{name}.{key}", hypers[key], value)
            except InvalidSpace as error:
                self._wrong(body, key, str(error))
        return searches

    def _batch_size(self, document: Any) -> Search:
        given = document["batch_size"]
        given = dict(given) if hasattr(given, "items") else {"choices": given}
        sizes, from_trials = given.pop("choices", []), given.pop("from_trials", 0)
        sizes = list(sizes) if isinstance(sizes, list) else [sizes]
        for size in sizes:
            if size != "full" and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
                text = f"batch_size: {size!r} is neither a whole number from 1 nor 'full'."
                self._wrong(document, "batch_size", text)
        if given or not sizes:
            text = "batch_size: must be whole numbers from 1, or a mapping of `choices` and `from_trials`."
            self._wrong(document, "batch_size", text)
        return Search("choice", choices=tuple(sizes), from_trials=from_trials)


def _search(where: str, declared: Hyper, value: Any) -> Search:
    """A YAML value as a `Search`: a number or flag fixes, a list offers choices, a mapping gives a range."""
    if not hasattr(value, "items"):
        choices = tuple(value) if isinstance(value, list) else (value,)
        return _choices(where, declared, choices, from_trials=0)
    known = ["low", "high", "scale", "from_trials", "choices"]
    for key in value:
        if key not in known:
            raise InvalidSpace(f"{where}: unknown key {key!r}. {suggestion(str(key), known)}")
    from_trials = value.get("from_trials", 0)
    if isinstance(from_trials, bool) or not isinstance(from_trials, int) or from_trials < 0:
        raise InvalidSpace(f"{where}: `from_trials` must be a whole number from 0, got {from_trials!r}.")
    if "choices" in value:
        return _choices(where, declared, tuple(value["choices"]), from_trials)
    if "low" not in value or "high" not in value:
        raise InvalidSpace(f"{where}: a range needs `low` and `high`.")
    low, high = value["low"], value["high"]
    for name, bound in (("low", low), ("high", high)):
        if declared.domain.boolean or isinstance(bound, bool) or not isinstance(bound, (int, float)):
            raise InvalidSpace(f"{where}: `{name}` must be a number, got {bound!r}.")
        if not declared.domain.contains(bound):
            raise InvalidSpace(f"{where}: `{name}` must lie in {declared.domain}, got {bound!r}.")
    if low > high:
        raise InvalidSpace(f"{where}: low {low!r} is above high {high!r}. Swap them?")
    scale = value.get("scale", declared.search.scale if declared.search else "linear")
    if scale not in _SCALES:
        raise InvalidSpace(f"{where}: unknown scale {scale!r}. {suggestion(str(scale), _SCALES)}")
    if scale == "log" and low <= 0:
        raise InvalidSpace(f"{where}: a log scale needs `low` above 0, got {low!r}.")
    return Search(scale, float(low), float(high), from_trials=from_trials)


def _choices(where: str, declared: Hyper, choices: tuple[Any, ...], from_trials: int) -> Search:
    if not choices:
        raise InvalidSpace(f"{where}: no value to choose from.")
    for one in choices:
        if not declared.domain.contains(one):
            raise InvalidSpace(f"{where}: must lie in {declared.domain}, got {one!r}.")
    plain = tuple(bool(c) if declared.domain.boolean else float(c) for c in choices)
    return Search("choice", choices=plain, from_trials=from_trials)


def write_yaml(space: Space, stream: TextIO) -> None:
    """A space as YAML that `load_space` reads back to the same space."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.default_flow_style = None  # leaves in one line, the rest in blocks
    yaml.width = 110
    yaml.dump(space.to_dict(), stream)
