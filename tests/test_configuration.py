"""A configuration goes to JSON, to Keras and to code, and comes back."""

from __future__ import annotations

import json
from typing import Any

import keras
import pytest
from hypothesis import given

import optselect.schedule_classes  # what the shown code needs where Keras has no class
from optselect.clipping import CLIPPINGS
from optselect.configuration import Configuration
from optselect.errors import InvalidValue, UnknownName
from optselect.parity import Case, cases
from optselect.rules import RULES
from optselect.schedules import SCHEDULES

from .strategies import configurations

SOME = cases()[::5]
some = pytest.mark.parametrize("case", SOME, ids=[case.name for case in SOME])
ANY = next(iter(RULES.values()))


def _config(optimizer: Any) -> dict[str, Any]:
    """What defines a Keras optimizer: its config without the name, which Keras counts up."""
    return {key: value for key, value in optimizer.get_config().items() if key != "name"}


def test_sample_meets_every_part() -> None:
    """The sample that the tests below walk leaves no rule, schedule or clipping out."""
    parts = zip(
        *((c.configuration.rule, c.configuration.schedule, c.configuration.clipping) for c in SOME), strict=True
    )
    met = [{part.name for part in family} for family in parts]
    assert met == [set(RULES), set(SCHEDULES), set(CLIPPINGS)]


@given(configuration=configurations())
def test_json_round_trip_is_exact(configuration: Configuration) -> None:
    """Writing and reading changes no bit of any number."""
    text = configuration.to_json()
    assert "\n" not in text
    assert Configuration.from_json(text) == configuration
    assert Configuration.from_dict(json.loads(text)).to_json() == text


@given(configuration=configurations())
def test_json_holds_every_hyperparameter(configuration: Configuration) -> None:
    """Defaults are written too, so that a file means the same when a default has changed."""
    data = configuration.to_dict()
    parts = {"optimizer": configuration.rule, "schedule": configuration.schedule, "clipping": configuration.clipping}
    for key, part in parts.items():
        assert set(data[key]) == {"name", *(h.name for h in part.hypers())}


def test_what_json_leaves_out_is_at_its_default() -> None:
    """A name is enough."""
    plain = Configuration(rule=ANY())
    assert Configuration.from_dict({"optimizer": ANY.name}) == plain
    assert Configuration.from_dict({"optimizer": {"name": ANY.name}, "schedule": "constant"}) == plain


@some
def test_keras_round_trip_keeps_the_optimizer(case: Case) -> None:
    """The configuration read from its Keras optimizer makes the same Keras optimizer."""
    optimizer = case.configuration.optimizer(total_steps=1000)
    back = Configuration.from_optimizer(optimizer, total_steps=1000, batch_size=32)
    assert _config(back.optimizer(total_steps=1000)) == _config(optimizer)
    if case.form == "default":
        assert back == case.configuration


@some
def test_code_makes_the_same_optimizer(case: Case) -> None:
    """The code that is shown, evaluated, gives the optimizer that was meant."""
    code = case.configuration.code(total_steps=1000)
    made = eval(code, {"keras": keras, "optselect": optselect})
    assert _config(made) == _config(case.configuration.optimizer(total_steps=1000))


@some
def test_summary_names_what_is_not_at_its_default(case: Case) -> None:
    """The line for people names the rule, the rate, the batch, and each changed hyperparameter once."""
    text = str(case.configuration)
    assert text.startswith(f"{type(case.configuration.rule).__name__} (learning_rate ")
    assert text.endswith("batch 32)")
    if case.form == "altered":
        assert all(h.name in text for h in case.configuration.rule.hypers())


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (lambda: keras.optimizers.Adamax(), "no rule stands for keras.optimizers.Adamax. Known: "),
        (lambda: keras.optimizers.SGD(use_ema=True), "keras.optimizers.SGD has use_ema=True"),
        (lambda: keras.optimizers.SGD(weight_decay=0.1), "keras.optimizers.SGD has weight_decay=0.1"),
        (lambda: keras.optimizers.Adam(gradient_accumulation_steps=2), "has gradient_accumulation_steps=2"),
    ],
)
def test_foreign_optimizer_is_refused(optimizer: Any, message: str) -> None:
    """What a configuration cannot hold is refused by name, not dropped."""
    with pytest.raises(InvalidValue) as refused:
        Configuration.from_optimizer(optimizer(), total_steps=10, batch_size=1)
    assert message in str(refused.value)


def test_foreign_schedule_is_refused() -> None:
    """A schedule of the user's own has no configuration."""

    @keras.saving.register_keras_serializable("optselect_tests")
    class Halves(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            return 0.5

        def get_config(self) -> dict[str, Any]:
            return {}

    with pytest.raises(InvalidValue, match=r"no schedule stands for .*test_configuration\.Halves"):
        Configuration.from_optimizer(keras.optimizers.SGD(Halves()), total_steps=10, batch_size=1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"optimiser": ANY.name}, "Configuration: unknown key 'optimiser'. Did you mean 'optimizer'? Known: "),
        ({"optimizer": ANY.name + "x"}, f"Rule: no member is called '{ANY.name}x'. Did you mean '{ANY.name}"),
        (
            {"optimizer": {"name": ANY.name, "learning_rat": 1.0}},
            f"{ANY.__name__}: unknown hyperparameter 'learning_rat'. Did you mean 'learning_rate'? Known: ",
        ),
        ({"optimizer": ANY.name, "schedule": "cosine_decoy"}, "Schedule: no member is called 'cosine_decoy'. Did you"),
        ({}, "Rule: no member is called ''. Known: "),
    ],
)
def test_unknown_name_is_refused_with_the_nearest(data: dict[str, Any], message: str) -> None:
    """A typo in a configuration is refused, and the nearest name offered."""
    with pytest.raises(UnknownName) as refused:
        Configuration.from_dict(data)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_batch_size_is_a_whole_number_from_one(size: Any) -> None:
    """A batch has at least one whole row."""
    with pytest.raises(InvalidValue) as refused:
        Configuration(rule=ANY(), batch_size=size)
    assert str(refused.value) == f"Configuration: `batch_size` must be a whole number from 1, got {size!r}."
