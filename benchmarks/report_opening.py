"""How long until a report is written, and until a browser shows its verdict and its first pictures.

A study of many trials is made from a real one, whose records are repeated under new numbers. Times are medians. Those
of opening are of a real Chromium without a window, each in a context of its own without a cache, from the call that
opens the file until the frame after the one in which verdict and first two pictures have their places. `--plotly`
measures beside it the least that a page with plotly does: its script inline, the same verdict, the same two pictures,
and nothing below.

uv run python -m benchmarks.report_opening optselect-studies/digits
uv run --with plotly python -m benchmarks.report_opening optselect-studies/digits --plotly
"""

from __future__ import annotations

import itertools
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from optselect import api
from optselect.record import Ledger, read
from optselect.report.evidence import Evidence, gather

_SHOWN = """() => new Promise((done) => {
  const tall = (selector) => document.querySelector(selector)?.getBoundingClientRect().height > 9;
  const look = () => requestAnimationFrame(SELECTORS.every(tall) ? () => done(performance.now()) : look);
  look();
})"""
_OURS = [".lead", "#picture-best-by-budget .arm", "#picture-learning-curves .arm"]
_PLOTLY = [".lead", "#first .scatterlayer", "#second .scatterlayer"]


def enlarged(source: Path, folder: Path, trials: int) -> Path:
    """A copy of a study with so many trials of the search, its own over and over."""
    entries = read(source / "ledger.jsonl")
    search = [e for e in entries if e["kind"] == "trial" and e["stage"] == "search"]
    others = [e for e in entries if not (e["kind"] == "trial" and e["stage"] == "search")]
    more = itertools.islice(itertools.cycle(search), trials)
    first = 1 + max(e["number"] for e in entries if e["kind"] == "trial")
    numbered = [e if k < len(search) else {**e, "number": first + k} for k, e in enumerate(more)]
    made = folder / "study"
    with Ledger.open(made / "ledger.jsonl") as ledger:
        for entry in [*others, *numbered]:
            ledger.append(entry["kind"], {key: value for key, value in entry.items() if key not in ("kind", "crc")})
    answer = json.loads((source / "recommendation.json").read_text())
    answer["verdict"]["runs"]["search"] = trials
    (made / "recommendation.json").write_text(json.dumps(answer))
    return made


def median(repeats: int, timed: Callable[[], float]) -> str:
    """Of a time in seconds, with the least and the most."""
    taken = sorted(timed() for _ in range(repeats))
    return f"{1000 * statistics.median(taken):.0f} ms ({1000 * taken[0]:.0f} to {1000 * taken[-1]:.0f})"


def writing(place: Path, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds for reading what a study left and writing its page."""
    began = clock()
    api.report(place)
    return clock() - began


def opening(browser: Any, path: Path, selectors: list[str]) -> float:
    """Seconds until a page shows what stands at some selectors."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(path.as_uri(), wait_until="commit")
    page.evaluate(_SHOWN.replace("SELECTORS", json.dumps(selectors)))
    took = time.perf_counter() - began
    context.close()
    return took


def with_plotly(evidence: Evidence, path: Path) -> None:
    """Verdict and two pictures by plotly, its script inline."""
    import plotly.graph_objects as go

    first, second = go.Figure(), go.Figure()
    for arm in evidence.optimizers:
        values = [row.value for row in evidence.of(arm)]
        first.add_scatter(y=list(itertools.accumulate(values, min)), mode="lines", name=arm)
    for row in [row for row in evidence.rows if row.record.stage == "confirm"]:
        second.add_scatter(y=list(row.record.curves[evidence.objective.name]), mode="lines")
    text = evidence.verdict["text"] if evidence.verdict else ""
    parts = [figure.to_html(full_html=False, include_plotlyjs=whole, div_id=name)
             for figure, whole, name in ((first, True, "first"), (second, False, "second"))]  # fmt: skip
    path.write_text(f'<!doctype html><meta charset="utf-8"><p class="lead">{text}</p>{"".join(parts)}')


@click.command()
@click.argument("study", type=click.Path(exists=True, path_type=Path))
@click.option("--trials", default=2000, show_default=True)
@click.option("--repeats", default=9, show_default=True)
@click.option("--plotly", is_flag=True, help="The least that plotly takes, beside it.")
def main(study: Path, trials: int, repeats: int, plotly: bool) -> None:
    """Measure with a finished STUDY."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        shutil.copytree(study, folder / "small")
        large = enlarged(study, folder, trials)
        executable = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for place in (folder / "small", large):
            made = api.report(place)
            print(f"{made.trials:,} trainings, {made.bytes / 1e3:,.0f} kB")
            print(f"  read and written in {median(repeats, partial(writing, place))}")
            print(f"  in CPU time {median(repeats, partial(writing, place, time.process_time))}")
            print(f"  verdict and first pictures after {median(repeats, partial(opening, browser, made.path, _OURS))}")
        if plotly:
            path = folder / "plotly.html"
            with_plotly(gather(large), path)
            print(f"plotly inline with the verdict and two pictures, {path.stat().st_size / 1e3:,.0f} kB")
            print(f"  shows them after {median(repeats, partial(opening, browser, path, _PLOTLY))}")
        browser.close()


if __name__ == "__main__":
    main()
