"""Calls around a verdict, with a real study of 40 rows and one optimizer: replay, scale, compare, the kept model."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optselect import Evaluation, RunOptions, Tracking, api
from optselect.errors import InvalidValue, NoResult, StudyConflict, UnknownName
from optselect.optim.configuration import Configuration
from optselect.record import read

ROWS = 40


def write(path: Path, shift: float = 0.0) -> Path:
    """A table with a class that follows from two numbers, and a column of words."""
    rng = np.random.default_rng(0)
    x = rng.normal(shift, 1.0, (ROWS, 2))
    rows = [f"{a:.4f},{b:.4f},{'red' if a > 0 else 'blue'},{'yes' if a + b > 0 else 'no'}" for a, b in x]
    path.write_text("\n".join(["a,b,colour,y", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The study: three trials, one optimizer, the least care."""
    folder = tmp_path_factory.mktemp("calls")
    return api.tune(
        None,
        str(write(folder / "points.csv")),
        target="y",
        optimizers=["sgd"],
        trials=3,
        epochs=2,
        evaluation=Evaluation(care="quick", confirm=2),
        run=RunOptions(workers=1, out=folder / "studies"),
        tracking=Tracking(mlflow=None),
    )


def test_forty_rows_and_one_optimizer_give_an_honest_verdict(result: Any) -> None:
    """The optimizer stands beside the default; its interval is as wide as two seeds make it."""
    verdict = result.verdict
    assert {s.configuration.rule.key for s in verdict.ranking} <= {"sgd", "adam"}
    assert verdict.recommended.held_out.seeds == 2
    assert not verdict.importance
    assert verdict.check is not None
    json.dumps(result.to_dict(), allow_nan=False)


def test_what_the_numbers_are_measured_by_is_on_record(result: Any) -> None:
    """The program was compared with `model.fit` before the first trial; a constant and a linear model were scored."""
    entries = read(result.directory / "ledger.jsonl")
    description = next(e for e in entries if e["kind"] == "task")["description"]
    assert description["comparison"]["equal"]
    constant, linear = (description["baselines"][name]["metrics"] for name in ("constant", "linear"))
    assert result.verdict.context.constant == constant
    assert linear["test_accuracy"] > constant["test_accuracy"]
    page = (result.directory / "report.html").read_text()
    assert "Compared with model.fit" in page
    assert "Without a network" in page


def test_the_kept_model_has_seen_the_validation_rows(result: Any) -> None:
    """It is trained after the check, on training and validation rows, and answers raw rows."""
    kinds = [e["kind"] for e in read(result.directory / "ledger.jsonl")]
    assert kinds[-2:] == ["check", "refit"]
    assert result.verdict.refit
    joined = result.spec.joined().split
    assert len(joined.train) == len(result.spec.split.train) + len(result.spec.split.validation)
    assert not np.intersect1d(joined.train, joined.test).size
    answers = result.predict(result.spec.data.x)
    assert set(answers["prediction"]) <= {"no", "yes"}
    assert len(answers["prediction"]) == ROWS


def test_a_right_number_is_found_again_and_a_wrong_one_is_not(result: Any) -> None:
    """New seeds give a mean within the interval; were it stated elsewhere they would not. The record stays as it is."""
    before = (result.directory / "ledger.jsonl").read_bytes()
    told: list[int] = []
    found = api.replay(result.directory, seeds=3, workers=1, told=told.append)
    assert told == [1, 2, 3]
    assert found.found.seeds == 3
    assert found.broken == 0
    assert found.stated == result.verdict.recommended.held_out
    assert found.low <= found.stated.low <= found.stated.high <= found.high
    assert found.inside == (found.low <= found.found.mean <= found.high)
    assert (result.directory / "ledger.jsonl").read_bytes() == before
    wrong = dataclasses.replace(found, low=found.found.mean + 0.1, high=found.found.mean + 0.2)
    assert not wrong.inside
    assert "not as stated" in wrong.text()


def test_changed_data_are_not_replayed(result: Any) -> None:
    """The number was about other rows: what changed is named."""
    path = Path(result.directory).parent.parent / "points.csv"
    kept = path.read_text()
    try:
        write(path, shift=0.5)
        with pytest.raises(StudyConflict, match="data:"):
            api.replay(result.directory)
    finally:
        path.write_text(kept)


def test_a_study_of_python_objects_says_how_to_replay_it(result: Any, tmp_path: Path) -> None:
    """What no file holds cannot be read anew; the message names the way through `tune`."""
    copied = Path(shutil.copytree(result.directory, tmp_path / "objects"))
    from optselect.record import Ledger, content, read
    from optselect.verdict.answer import sealed

    entries = read(copied / "ledger.jsonl")
    (copied / "ledger.jsonl").unlink()
    with Ledger.open(copied / "ledger.jsonl") as ledger:
        for entry in entries:
            if entry["kind"] == "study":
                entry["settings"]["objects"] = ["data"]
            ledger.append(entry["kind"], content(entry))
        answer = sealed(result.to_dict(), ledger.stamp())
    (copied / "recommendation.json").write_text(answer)
    with pytest.raises(InvalidValue, match=r"\.replay\(\)"):
        api.replay(copied)


def test_a_study_is_compared_with_its_like(result: Any, tmp_path: Path) -> None:
    """The same study twice: the default's gain over itself is none, and all shared optimizers have a line."""
    for name in ("one", "two"):
        shutil.copytree(result.directory, tmp_path / name)
    found = api.compare(["one", "two"], out=tmp_path)
    names = {line.name for line in found.lines}
    assert "recommended" in names
    assert found.studies == ("one", "two")
    if result.verdict.is_default:
        [line] = [line for line in found.lines if line.name == "recommended"]
        assert line.gain.value == pytest.approx(0.0, abs=1e-9)
    assert all(name in found.text() for name in names)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_rescaled_configuration_is_tried_at_three_rates(result: Any) -> None:
    """A third, one and three times its rate, each under two seeds; the best of them is named."""
    found = api.scale(result.directory, batch_size=8, check=result.spec)
    assert found.before == result.best
    assert found.after.batch_size == 8
    assert [t.configuration for t in found.tried] == list(found.around)
    means = [t.mean for t in found.tried]
    assert found.best == found.around[int(np.nanargmin(means))]
    assert found.objective.name == "val_loss"


def test_mistakes_are_said(
    result: Any, tmp_path: Path, optselect: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """An unknown study, one that is not finished, too few, a factor that is none: each with what to do."""
    studies = result.directory.parent
    with pytest.raises(UnknownName, match="Did you mean 'points'"):
        api.replay("point", out=studies)
    with pytest.raises(InvalidValue, match="at least two studies"):
        api.compare(["points"], out=studies)
    with pytest.raises(InvalidValue, match="`rows` must be a positive number"):
        api.scale(Configuration.from_dict({"optimizer": "sgd"}), batch_size=8, rows=-1.0)
    with pytest.raises(InvalidValue, match="`seeds` must be at least 1"):
        api.replay("points", out=studies, seeds=0)
    begun = Path(shutil.copytree(result.directory, tmp_path / "begun"))
    (begun / "recommendation.json").unlink()
    with pytest.raises(NoResult, match="not finished"):
        api.replay(begun)
    done = optselect("scale", result.directory, "--batch-size", "8", "--json")
    assert json.loads(done.stdout)["before"] == result.best.to_dict()
    assert optselect("compare", "one").returncode == 2
