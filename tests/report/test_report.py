"""The report of real studies: what the page says, whatever state the study is in."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import json
import re
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optselect import Evaluation, RunOptions, Tracking, api
from optselect.errors import CannotWrite, StudyConflict, UnknownName
from optselect.report import palette
from optselect.report.evidence import gather
from optselect.report.methods_section import arms, command
from optselect.report.page import render
from optselect.report.pictures import Drawn, learning_curves, pictures
from optselect.report.table import embedded, table
from optselect.study.listener import Silent
from tests.helpers.reported import HOSTILE, STUDIES, hostile, rewritten, unpack


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of a real finished study."""
    return unpack(request.param, tmp_path / "study")


def unfinished(study: Path, trials: int) -> Path:
    """The same study, killed after some trials of its search."""

    def change(entry: dict[str, Any]) -> dict[str, Any] | None:
        later = entry["kind"] == "trial" and (entry["stage"] != "search" or entry["number"] >= trials)
        return None if later or entry["kind"] in ("check", "refit", "eliminated") else entry

    return rewritten(study, study.parent / "unfinished", change)


def words(page: str) -> str:
    """What a page says, without markup, scripts and styles."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def test_a_finished_study_has_its_verdict_first_and_every_picture_or_the_reason(study: Path) -> None:
    """The paragraph stands before the pictures; what is not drawn says why in a sentence."""
    evidence = gather(study)
    said = words(render(evidence))
    assert evidence.finished
    assert evidence.answer is not None
    paragraph = " ".join(evidence.answer.text.split())
    first, rest = paragraph.split(". ", 1)
    assert said.index(first) < said.index(rest[:80]) < said.index("Pictures", said.index(rest[:80]))
    made = pictures(evidence)
    assert len(made) == 9
    for picture in made:
        assert (picture.drawn is None) == bool(picture.missing), picture.name
        assert picture.title in said
        shown = picture.missing or picture.drawn.caption  # type: ignore[union-attr]
        assert shown.endswith(".")
        assert " ".join(shown.split()) in said, picture.name


def test_the_study_with_everything_has_every_picture(tmp_path: Path) -> None:
    """Where a study has range tests, a confirmation and enough trials, nothing is missing."""
    assert [p.missing for p in pictures(gather(unpack("flowers", tmp_path)))] == [""] * 9


def test_captions_tell_of_this_study(tmp_path: Path) -> None:
    """Two studies share no caption: each is computed."""
    ours, theirs = (
        [p.drawn.caption for p in pictures(gather(unpack(name, tmp_path / name))) if p.drawn] for name in STUDIES[:2]
    )
    assert not set(ours) & set(theirs)


def test_an_unfinished_study_says_so_and_shows_what_is_there(study: Path) -> None:
    """No verdict is made up; trials and the pictures that need no verdict are there."""
    made = api.report(unfinished(study, 12))
    page = made.path.read_text()
    assert not made.finished
    assert "This study is not finished: 12 of" in words(page)
    assert made.pictures["best-by-budget"] == made.pictures["divergence"] == ""
    assert all(made.pictures[name] for name in ("learning-curves", "learning-rate-basin", "which-mattered", "paired"))
    assert 'id="snippet"' not in page


@pytest.mark.parametrize("trials", [0, 1, 2])
def test_hardly_anything_is_enough(study: Path, trials: int) -> None:
    """With no trial, one or two there is a page, and nothing is divided by zero."""
    made = api.report(unfinished(study, trials))
    assert made.trials <= trials
    assert "not finished" in words(made.path.read_text())


def test_only_diverged_trials_are_a_report_too(study: Path) -> None:
    """Where nothing has a value the divergence map still stands."""

    def change(entry: dict[str, Any]) -> dict[str, Any] | None:
        if entry["kind"] != "trial":
            return entry
        return {**entry, "outcome": "diverged", "value": None} if entry["stage"] == "search" else None

    made = api.report(rewritten(study, study.parent / "lost", change))
    assert made.pictures["divergence"] == ""
    assert all(made.pictures[name] for name in ("best-by-budget", "parallel", "tradeoff"))


def test_a_study_that_went_on_after_its_verdict_says_so(study: Path) -> None:
    """The verdict does not know of later trials, and the page does not pretend."""
    answer = json.loads((study / "recommendation.json").read_text())
    answer["verdict"]["runs"]["search"] -= 3
    (study / "recommendation.json").write_text(json.dumps(answer))
    made = api.report(study)
    assert not made.finished
    assert "the study has gone on" in words(made.path.read_text())


def test_the_best_comes_first_whichever_way_is_better(study: Path) -> None:
    """The rows for paper and the running best go towards the better value, up or down."""
    evidence = gather(study)
    values = [row.value for row in evidence.rows if row.value == row.value]
    best = evidence.objective.best(values)
    rows = table(evidence)
    at = [column.name for column in rows.columns].index(evidence.objective.name)
    assert float(rows.best[0][1][at].replace(",", "")) == pytest.approx(best, rel=1e-3)
    for arm in evidence.optimizers:
        own = [row.value for row in evidence.of(arm) if row.value == row.value]
        assert evidence.objective.best(own) == (max(own) if evidence.objective.maximize else min(own))


def test_every_trial_is_in_the_data_of_the_table(study: Path) -> None:
    """The script gets all of them, with nothing that is not JSON."""
    evidence = gather(study)
    data = json.loads(str(table(evidence).data(evidence.optimizers)))
    assert [row[0] for row in data["rows"]] == [row.record.number for row in evidence.rows]


def test_how_to_do_it_again_is_the_command_that_was_given(tmp_path: Path) -> None:
    """The command line holds what was asked for and nothing that is the default."""
    said = command(gather(unpack("flowers", tmp_path)))
    expected = (
        "optselect tune sklearn:iris --trials 66 --epochs 3 --optimizers adam,rmsprop,sgd --care quick --study flowers"
    )
    assert said == expected


def test_early_stopping_is_shown(tmp_path: Path) -> None:
    """Curves of unlike lengths are drawn to the longest, the kept epochs are marked, tables have the epochs."""
    evidence = gather(unpack("flowers", tmp_path))
    assert evidence.verdict is not None
    before = learning_curves.draw(evidence)
    rows = []
    for k, row in enumerate(evidence.rows):
        curves = {name: values[: 2 + k % 2] for name, values in row.record.curves.items()}
        record = dataclasses.replace(row.record, curves=curves, epochs=2 + k % 2, best_epoch=2, stopped=not k % 2)
        rows.append(dataclasses.replace(row, record=record))
    stopping = dataclasses.replace(evidence, rows=rows)
    assert not any(arm.epochs for arm in arms(evidence))
    assert {arm.epochs for arm in arms(stopping) if arm.trials} == {"2.5 (2 to 3)"}
    assert "best epoch" in [column.name for column in table(stopping).columns]
    assert "best epoch" not in [column.name for column in table(evidence).columns]
    drawn = learning_curves.draw(stopping)
    assert isinstance(before, Drawn)
    assert isinstance(drawn, Drawn)
    assert drawn.svg.count("keeps epoch 2") == len(drawn.key) == len(before.key)
    assert "keeps epoch" not in before.svg
    assert "with the weights of epoch 2" in drawn.caption


def test_hostile_names_are_text(study: Path) -> None:
    """A parser finds the elements of the template alone: no handler, no script but ours, no address to anywhere."""
    page = api.report(hostile(study, study.parent / "hostile")).path.read_text()
    found: list[tuple[str, dict[str, str | None]]] = []

    class Elements(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Elements().feed(page)
    tags = [tag for tag, _ in found]
    assert tags.count("script") == 2
    assert not {"img", "iframe", "object", "base", "form", "link", "math", "animate", "textarea"} & set(tags)
    assert tags.count("h1") == tags.count("title") == 1
    for tag, attributes in found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert attributes.get("href", "#").startswith("#")  # type: ignore[union-attr]
    for payload in HOSTILE:
        assert " ".join(payload.split()) in words(page), payload


def test_the_policy_lets_only_our_own_script_and_style_run(study: Path) -> None:
    """The digests in the policy are those of the one script and the one style; there is no network in it."""
    page = render(gather(study))
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert html.unescape(policy).startswith("default-src 'none';")
    for tag in ("style", "script"):
        [content] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.S)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in html.unescape(policy)
    assert not re.search(r"https?://|unsafe|url\(|@import", page.replace("http-equiv", ""))


def test_json_in_a_page_ends_nothing() -> None:
    """Nothing in it can end its element, and it reads back as it was."""
    text = str(embedded(HOSTILE))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == HOSTILE


def test_a_report_goes_where_it_is_asked_to(
    optselect: Callable[..., subprocess.CompletedProcess[str]], study: Path
) -> None:
    """`optselect report` writes, says what the page holds, and names what is wrong."""
    place = study.parent / "elsewhere.html"
    done = optselect("report", study, "--out-file", place, "--json")
    said = json.loads(done.stdout)
    assert said["path"] == str(place)
    assert said["bytes"] == place.stat().st_size
    assert said["finished"]
    wrong = optselect("report", "nothing-here")
    assert wrong.returncode == 2
    assert "no study is recorded here" in wrong.stderr


def test_what_cannot_be_written_or_read_is_said(study: Path) -> None:
    """One message names the file; a damaged record is not drawn."""
    with pytest.raises(CannotWrite, match=r"folder\.html: cannot be written"):
        api.report(study, path=study / "no" / "such" / "folder.html")
    with pytest.raises(UnknownName):
        api.report(study.parent / "nobody")
    text = (study / "ledger.jsonl").read_text()
    (study / "ledger.jsonl").write_text(text.replace('"value"', '"valve"', 1))
    with pytest.raises(StudyConflict):
        api.report(study)


def test_a_report_that_was_there_stays_whole(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new page takes the place of the old one at once: no reader ever sees half of it."""
    before = api.report(study).path.read_text()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(CannotWrite, match="the disk is full"):
        api.report(study)
    assert (study / "report.html").read_text() == before


def test_a_study_never_fails_for_want_of_its_report(tmp_path: Path) -> None:
    """Where the page cannot be written, `tune` says so and ends as ever; afterwards the result writes it."""
    said: list[str] = []

    class Heard(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    blocked = tmp_path / "iris" / "report.html"
    blocked.mkdir(parents=True)
    result = api.tune(
        None,
        "sklearn:iris",
        optimizers=["sgd"],
        trials=2,
        epochs=1,
        evaluation=Evaluation(care="quick", confirm=0),
        run=RunOptions(workers=1, out=tmp_path),
        tracking=Tracking(mlflow=None),
        listener=Heard(),
    )
    assert [text for text in said if text.startswith("Warning: ") and "report.html" in text]
    blocked.rmdir()
    assert result.report() == blocked
    assert gather(blocked.parent).finished
    said_how = words(blocked.read_text()).rpartition("How it was done")[2]
    assert "cores" in said_how
    assert "tensorflow 2" in said_how


def seen(colours: tuple[str, ...], matrix: np.ndarray) -> np.ndarray:
    """Colours in OKLab as an eye sees them whose cones answer by a matrix over linear RGB."""
    srgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_lms = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    to_lab = np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    )  # fmt: skip
    return np.cbrt(np.clip(linear @ matrix.T, 0, 1) @ to_lms.T) @ to_lab.T


# Machado, Oliveira & Fernandes 2009, table 1, at severity 1.0.
EYES = {
    "usual": "1 0 0 0 1 0 0 0 1",
    "protanopia": "0.152286 1.052583 -0.204868 0.114503 0.786281 0.099216 -0.003882 -0.048116 1.051998",
    "deuteranopia": "0.367322 0.860646 -0.227968 0.280085 0.672501 0.047413 -0.011820 0.042940 0.968881",
    "tritanopia": "1.255528 -0.076749 -0.178779 -0.078411 0.930809 0.147602 0.004733 0.691367 0.303900",
}


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK])
def test_colours_differ_for_every_eye(colours: tuple[str, ...], eye: str) -> None:
    """No two colours come nearer than 0.095, where Okabe and Ito's eight come to 0.076."""
    found = seen(colours, np.array(EYES[eye].split(), float).reshape(3, 3))
    assert min(np.linalg.norm(a - b) for a, b in combinations(found, 2)) > 0.095


@pytest.mark.parametrize(
    ("colours", "ground"), [(palette.LIGHT, palette.LIGHT_GROUND), (palette.DARK, palette.DARK_GROUND)]
)
def test_colours_stand_out_from_their_ground(colours: tuple[str, ...], ground: str) -> None:
    """3:1 at least, as WCAG 2.2 asks of graphics (1.4.11); the style sheet has the same ground."""

    def luminance(colour: str) -> float:
        srgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for colour in colours:
        light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3.0, colour
    assert f"--ground:light-dark({palette.LIGHT_GROUND},{palette.DARK_GROUND})" in render_style()


def render_style() -> str:
    """The style sheet as it is shipped."""
    return (Path(palette.__file__).parent / "templates" / "report.css").read_text()
