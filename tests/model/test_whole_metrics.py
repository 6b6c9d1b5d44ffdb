"""The offered metrics beside scikit-learn's."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

keras = pytest.importorskip("keras")

import tensorflow as tf  # noqa: E402

from optselect.data.target import Target  # noqa: E402
from optselect.model import formulas  # noqa: E402
from optselect.model.offered_metrics import OFFERED, Offered, offered  # noqa: E402
from optselect.model.output_scoring import Judging  # noqa: E402
from optselect.model.whole_metrics import FormulaMetric, JudgedOutput  # noqa: E402

MANY = 100_000


def of_sklearn(metric: Offered, output: JudgedOutput, answers: Any, weights: Any) -> float:
    """What scikit-learn makes of the same rows."""
    p = shares = None
    if output.target.kind == "classification":
        shares = output.probabilities(answers).numpy()
        p = shares[:, 1] if len(output.target.classes) == 2 else shares
    names = {
        **vars(metrics),
        "y": output.target.values,
        "predicted": output.predicted(answers).numpy(),
        "p": p,
        "probabilities": shares,
        "w": weights,
        "average": "binary" if len(output.target.classes) == 2 else "macro",
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The y_prob values do not sum to one")  # to the last digit of a float64
        return float(eval(metric.equal, names))


def made(kind: Any, labels: Any, classes: int, activation: Any, rows: int, seed: int = 0) -> tuple[JudgedOutput, Any]:
    """An output with a target of `rows` rows, and answers to them, half of them ties."""
    random = np.random.default_rng(seed)
    if kind == "regression":
        values = random.normal(5, 3, rows).astype("float32")
        answers = (values[:, None] + random.normal(0, 2, (rows, 1))).round(1)
    else:
        share = np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()
        values = np.concatenate([np.arange(classes), random.choice(classes, rows - classes, p=share)])
        logits = np.eye(classes)[values] + random.normal(0, 1.5, (rows, classes))
        logits[::2] = logits[::2].round(1)
        logits = logits[:, 1:] - logits[:, :1] if labels == "column" else logits
        answers = logits if activation else probabilities(logits, labels)
    target = Target(name="y", kind=kind, values=values, classes=tuple(range(classes)), notes=())
    judging = Judging(
        loss=None,
        metrics=list,
        labels=labels,
        activation=activation,
        probabilities=kind == "classification",
        notes=(),
        shape=answers.shape[1:],
    )
    return JudgedOutput(place=0, name="", target=target, judging=judging), tf.constant(answers, tf.float32)


def with_values(output: JudgedOutput, values: Any) -> JudgedOutput:
    return dataclasses.replace(output, target=dataclasses.replace(output.target, values=values))


def probabilities(logits: Any, labels: str) -> Any:
    return tf.sigmoid(logits).numpy() if labels == "column" else tf.nn.softmax(logits).numpy()


def value(metric: Offered, output: JudgedOutput, answers: Any, weights: Any, *, graph: bool = False) -> float:
    """What we make of them, as the loss takes the target."""
    y = tf.constant(output.judging.encode(output.target.values, len(output.target.classes)))
    made = FormulaMetric(offered=metric, output=output)
    call = tf.function(made, autograph=False) if graph else made
    return float(call([y], {0: answers}, None if weights is None else tf.constant(weights)))


CASES = [
    ("classification", "column", 2, "sigmoid"),
    ("classification", "column", 2, None),
    ("classification", "numbers", 2, None),
    ("classification", "numbers", 4, "softmax"),
    ("classification", "one-hot", 4, None),
    ("classification", "one-hot", 2, "softmax"),
    ("regression", "column", 0, None),
]


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_every_metric_is_that_of_scikit_learn(case: Any, weighted: bool) -> None:
    """For every form of target and output, with ties, with and without weights of rows."""
    output, answers = made(*case, rows=503)
    weights = np.random.default_rng(1).exponential(size=503).astype("float32") if weighted else None
    for metric in offered(case[0]):
        expected = of_sklearn(metric, output, answers, weights)
        assert value(metric, output, answers, weights) == pytest.approx(expected, abs=1e-8, rel=1e-7), metric
        assert value(metric, output, answers, weights, graph=True) == pytest.approx(expected, abs=1e-8, rel=1e-7), (
            metric
        )


@pytest.mark.parametrize("case", [CASES[0], CASES[3], CASES[6]], ids=lambda case: "-".join(map(str, case)))
def test_many_rows_lose_no_digits(case: Any) -> None:
    """Of 100,000 rows with ties a float32 sum would lose the seventh digit."""
    output, answers = made(*case, rows=MANY)
    weights = np.random.default_rng(1).exponential(size=MANY).astype("float32")
    for metric in offered(case[0]):
        expected = of_sklearn(metric, output, answers, weights)
        assert value(metric, output, answers, weights) == pytest.approx(expected, abs=1e-8, rel=1e-7), metric


def test_logits_and_probabilities_give_the_same() -> None:
    """It does not matter which of them a model answers."""
    for labels, classes, activation in (("column", 2, "sigmoid"), ("numbers", 4, "softmax")):
        raw, logits = made("classification", labels, classes, activation, rows=300)
        told, shares = made("classification", labels, classes, None, rows=300)
        for metric in offered("classification"):
            assert value(metric, raw, logits, None) == pytest.approx(value(metric, told, shares, None), abs=1e-6), (
                metric
            )


def test_classes_without_rows() -> None:
    """AUC is not defined then; the others are what scikit-learn makes of them."""
    output, answers = made(*CASES[3], rows=200)
    few = with_values(output, np.where(output.target.values == 3, 2, output.target.values))
    for metric in offered("classification"):
        found = value(metric, few, answers, None)
        if metric.name == "auc":
            assert np.isnan(found)
        elif metric.name != "log_loss":  # scikit-learn wants to be told the classes then
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert found == pytest.approx(of_sklearn(metric, few, answers, None), abs=1e-9), metric


def test_a_target_that_does_not_vary() -> None:
    """R2 is 1 if all is right, else 0, as in scikit-learn."""
    output, answers = made(*CASES[6], rows=20)
    same = with_values(output, np.full(20, 4.0, "float32"))
    r2 = next(metric for metric in OFFERED if metric.name == "r2")
    for given in (answers, tf.fill([20, 1], 4.0)):
        assert value(r2, same, given, None) == of_sklearn(r2, same, given, None)


def test_every_offered_metric_has_a_formula() -> None:
    """Under its name; and no other function is there."""
    functions = set(formulas.__all__) - {"Formula", "Rows", "formula"}
    assert functions == {metric.name for metric in OFFERED}
