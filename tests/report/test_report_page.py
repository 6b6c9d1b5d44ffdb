"""The report in a real browser: drawn, sorted, filtered, copied, dark, printed, and deaf to the network."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from optselect import api
from optselect.record import Ledger, read
from tests.helpers.reported import STUDIES, hostile, rewritten, unpack

Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of every study, and that of the first with hostile names."""
    folder = tmp_path_factory.mktemp("pages")
    studies = {name: unpack(name, folder / name) for name in STUDIES}
    studies["hostile"] = hostile(studies["flowers"], folder / "hostile")
    return {name: api.report(place).path for name, place in studies.items()}


@pytest.fixture
def opened(chromium: Any) -> Iterator[Opened]:
    """Opens a file; afterwards nothing may have gone to the console, to a dialog or over any wire."""
    complaints: list[str] = []
    contexts = []

    def run(path: Path, **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: complaints.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        return page

    yield run
    for context in contexts:
        context.close()
    assert not complaints


def cells(page: Any, column: str) -> list[str]:
    """The cells of a column as they stand."""
    names = page.locator("#table thead th").all_inner_texts()
    at = 1 + [name.strip(" ↑↓\n") for name in names].index(column)
    return [text.strip() for text in page.locator(f"#table tbody td:nth-child({at})").all_inner_texts()]


@pytest.mark.parametrize("width", [360, 800, 1400])
@pytest.mark.parametrize("study", STUDIES)
def test_every_picture_is_drawn_and_fits(opened: Opened, written: dict[str, Path], study: str, width: int) -> None:
    """Each picture has lines or marks of some size inside the window; the page never scrolls sideways."""
    page = opened(written[study], viewport={"width": width, "height": 900})
    found = page.evaluate("""() => [...document.querySelectorAll("figure:not(.missing)")].map((f) => ({
        name: f.id,
        sizes: [...f.querySelectorAll("svg.plot")].map((s) => s.getBoundingClientRect().height),
        right: Math.max(...[...f.querySelectorAll("svg.plot")].map((s) => s.getBoundingClientRect().right)),
        marks: [...f.querySelectorAll("svg.plot path, svg.plot rect")].filter((m) => {
            const box = m.getBBox(), style = getComputedStyle(m);
            const seen = style.stroke !== "none" || style.fill !== "none";
            return seen && (box.width > 0 || box.height > 0 || m.classList.contains("dot"));
        }).length,
    }))""")
    assert len(found) >= 6
    for picture in found:
        assert min(picture["sizes"]) > 80, picture
        assert picture["right"] <= width, picture
        assert picture["marks"] >= 3, picture
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("study", STUDIES)
def test_every_number_column_sorts_as_numbers_and_missing_comes_last(
    opened: Opened, written: dict[str, Path], study: str
) -> None:
    """Up, then down; what has no number stands at the end both times, and the header says which way."""
    page = opened(written[study])
    found = page.evaluate("""() => [...document.querySelectorAll("#table thead th.num")].flatMap((head) => {
        const at = head.cellIndex, name = head.textContent, ways = [];
        while (ways.length < 2) {
            head.querySelector("button").click();
            const sorted = [...document.querySelectorAll("#table thead th[aria-sort]")];
            const cells = [...document.querySelectorAll("#table tbody tr")].map((row) => row.cells[at].textContent);
            const alone = sorted.length === 1 && sorted[0] === head;
            ways.push({name, alone, way: head.getAttribute("aria-sort"), cells});
        }
        return ways;
    })""")
    assert len(found) >= 12
    for one in found:
        numbers = [float(text) for text in itertools.takewhile(bool, one["cells"])]
        assert one["alone"], one["name"]
        assert numbers == sorted(numbers, reverse=one["way"] == "descending"), one["name"]
        assert not any(one["cells"][len(numbers) :]), one["name"]
    assert {one["way"] for one in found} == {"ascending", "descending"}


def test_filters_leave_what_was_asked_for(opened: Opened, written: dict[str, Path]) -> None:
    """Each choice of each filter shows its rows alone, and the count says how many."""
    page = opened(written["flowers"])
    for name in ("optimizer", "stage", "outcome"):
        box = page.locator(f"#filter-{name}")
        choices = [value for value in box.locator("option").evaluate_all("all => all.map((o) => o.value)") if value]
        assert choices
        for choice in choices:
            box.select_option(choice)
            shown = cells(page, name)
            assert set(shown) == {choice}
            count = int(page.locator("#count").inner_text().rpartition(" of ")[2])
            assert len(shown) == min(count, 100)
        box.select_option("")


def test_the_copy_button_copies_the_snippet(chromium: Any, opened: Opened, written: dict[str, Path]) -> None:
    """What is pasted is the code, whether the page may use the clipboard or must select and copy."""
    code = json.loads((written["flowers"].parent / "recommendation.json").read_text())["snippet"]
    for script in ("", "Object.defineProperty(navigator, 'clipboard', {value: undefined})"):
        page = opened(written["flowers"])
        page.evaluate(f"() => {{ {script} }}")
        page.locator("#copy").click()
        page.wait_for_function("document.getElementById('copied').textContent")
        assert page.locator("#copied").inner_text() == "Copied."
        page.evaluate(
            "() => { const box = document.createElement('textarea'); box.id = 'box'; document.body.append(box); }"
        )
        page.locator("#box").focus()
        page.keyboard.press("Control+V")
        assert page.locator("#box").input_value().strip() == code.strip()


def test_dark_is_the_systems_choice_and_the_buttons(opened: Opened, written: dict[str, Path]) -> None:
    """Ground, ink and marks change both ways, and what was chosen is there again after a reload."""

    def look(page: Any) -> list[str]:
        found = page.evaluate("""() => {
            const body = getComputedStyle(document.body);
            const line = document.querySelector("#picture-best-by-budget .line");
            return [body.backgroundColor, body.color, getComputedStyle(line).stroke];
        }""")
        return [str(colour) for colour in found]

    light, dark = (opened(written["flowers"], color_scheme=scheme) for scheme in ("light", "dark"))
    was, by_system = look(light), look(dark)
    assert all(a != b for a, b in zip(was, by_system, strict=True))
    light.locator("#theme").click()
    assert look(light) == by_system
    light.reload()
    assert look(light) == by_system
    dark.locator("#theme").click()
    assert look(dark) == was


def test_paper_hides_nothing_and_is_light(opened: Opened, written: dict[str, Path]) -> None:
    """In print every picture, number and row of the short table shows in full width, dark or not; only controls go."""
    page = opened(written["flowers"], color_scheme="dark", viewport={"width": 1040, "height": 900})
    page.emulate_media(media="print")
    page.wait_for_function("document.querySelectorAll('#table tbody tr').length <= 50")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") in (
        "rgb(255, 255, 255)",
        "rgba(0, 0, 0, 0)",
    )
    hidden = page.evaluate("""() => [...document.querySelectorAll("main :is(p, td, th, svg.plot, dd, h2, h3, pre)")]
        .filter((e) => e.textContent.trim() && !e.closest(".card p, noscript, [hidden], #copied"))
        .filter((e) => e.getBoundingClientRect().height === 0 || !e.checkVisibility({contentVisibilityAuto: true}))
        .map((e) => e.outerHTML.slice(0, 90))""")
    assert hidden == []
    widths = page.locator(".scroll").evaluate_all("all => all.map((e) => e.scrollWidth)")
    assert max(widths) <= 1040
    assert page.locator("#table-note").inner_text().startswith("The first 50 of")
    assert not page.locator("#controls").is_visible()
    assert len(page.pdf()) > 50_000


def test_names_cannot_act(opened: Opened, written: dict[str, Path]) -> None:
    """Thirty hostile names in every place: no dialog, no element, no request, and all of them can be read.

    The filters, the tips and the copy button are used, for the script of the page puts names into the page too.
    """
    page = opened(written["hostile"])
    counts = page.evaluate("""() => ["script", "img", "iframe", "object", "base", "form", "link", "math", "h1"]
        .map((name) => document.querySelectorAll(name).length)""")
    assert counts == [2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert page.evaluate(
        """[...document.querySelectorAll("*")].every((e) => e.getAttributeNames().every((n) => !n.startsWith("on")))"""
    )
    assert "<img src=x onerror=alert(1)>" in page.locator("main").inner_text()
    page.locator("#filter-outcome").select_option("failed")
    page.locator("#copy").click()
    page.locator("#picture-tradeoff svg.plot").hover()
    assert page.title().startswith("</title><script>alert(1)</script>")


def test_marks_tell_what_they_stand_for(opened: Opened, written: dict[str, Path]) -> None:
    """Under the pointer a mark says its trial, and a chip leaves one optimizer in all pictures."""
    page = opened(written["flowers"])
    page.locator("#picture-tradeoff").scroll_into_view_if_needed()
    at = page.evaluate("""() => {
        const path = document.querySelector("#picture-tradeoff [data-n]");
        const [x, y] = path.getAttribute("d").match(/[\\d.]+/g).map(Number);
        const p = new DOMPoint(x, y).matrixTransform(path.ownerSVGElement.getScreenCTM());
        return [p.x, p.y, path.dataset.n.split(" ")];
    }""")
    page.mouse.move(at[0], at[1])
    told = page.locator("#tip").inner_text()
    assert told.split()[0].removeprefix("#") in at[2] or "complete" in told
    chip = page.locator(".chip").first
    chip.click()
    assert chip.get_attribute("aria-pressed") == "true"
    kind = chip.get_attribute("data-arm")
    assert page.locator(f"#pictures .arm.{kind}.dim").count() == 0
    assert page.locator("#pictures .arm.dim").count() > 5


def test_it_can_be_used_without_eyes_or_mouse(opened: Opened, written: dict[str, Path]) -> None:
    """Landmarks, one h1, headings without gaps, a name and a description for every picture, tab stops that show."""
    page = opened(written["flowers"])
    for role in ("banner", "main", "navigation", "contentinfo"):
        assert page.get_by_role(role).count() == 1, role
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map((h) => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    for image in page.locator("[role=img]").all():
        for kind in ("aria-labelledby", "aria-describedby"):
            assert len(page.locator(f"#{image.get_attribute(kind)}").inner_text()) > 10
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#verdict') !== null")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    nameless = page.evaluate("""() => [...document.querySelectorAll("button, a, select")]
        .filter((e) => !e.textContent.trim() && !e.labels?.length).length""")
    assert nameless == 0


def test_text_stands_out_from_its_ground(opened: Opened, written: dict[str, Path]) -> None:
    """4.5:1 at least for every text, light and dark (WCAG 2.2, 1.4.3)."""
    for scheme in ("light", "dark"):
        page = opened(written["flowers"], color_scheme=scheme)
        worst = page.evaluate("""() => {
            const parts = (c) => c.match(/[\\d.]+/g).map(Number);
            const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            const lum = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, share, i) => sum + share * linear(c[i] / 255), 0);
            const ground = (e) => {
                const c = parts(getComputedStyle(e).backgroundColor);
                return c.length < 4 || c[3] > 0 || !e.parentElement ? c : ground(e.parentElement);
            };
            const worded = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
            const found = [...document.querySelectorAll("body *")]
                .filter((e) => worded(e) && e.checkVisibility() && !e.closest("button[disabled], script"));
            return Math.min(...found.map((e) => {
                const style = getComputedStyle(e), ink = parts(e.closest("svg") ? style.fill : style.color);
                const [a, b] = [lum(ink), lum(ground(e.closest("svg")?.parentElement ?? e))].sort((p, q) => q - p);
                return (a + 0.05) / (b + 0.05);
            }));
        }""")
        assert worst >= 4.5, (scheme, worst)


def test_it_works_in_the_frame_that_mlflow_shows_it_in(chromium: Any, written: dict[str, Path], tmp_path: Path) -> None:
    """In `sandbox="allow-scripts"` there is no storage and no clipboard: table and button work all the same."""
    outer = tmp_path / "outer.html"
    outer.write_text('<iframe sandbox="allow-scripts" width="1100" height="800"></iframe>')
    page = chromium.new_page()
    page.goto(outer.as_uri())
    page.evaluate("text => { document.querySelector('iframe').srcdoc = text; }", written["flowers"].read_text())
    frame = page.frame_locator("iframe")
    frame.locator("#theme").click()
    assert frame.locator("html").get_attribute("data-theme") == "dark"
    frame.locator("#filter-stage").select_option("race")
    assert "race" in frame.locator("#table tbody tr").first.inner_text()
    frame.locator("#copy").click()
    frame.locator("#copied").filter(has_text="op").wait_for(timeout=5000)
    page.close()


def test_without_a_script_the_best_rows_and_all_pictures_are_there(opened: Opened, written: dict[str, Path]) -> None:
    """The page is made before it is opened; the script adds what needs one."""
    page = opened(written["flowers"], java_script_enabled=False)
    assert page.locator("#table tbody tr").count() == 50
    assert page.locator("figure svg.plot").count() >= 9
    assert not page.locator("#controls").is_visible()
    assert not page.locator("#copy").is_visible()


def test_two_thousand_trials_open(
    opened: Opened, written: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of them has a hundred rows at a time, every trial in reach, and opens long before anybody gives up."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # nothing here must outlive a power cut
    numbers = itertools.count(100_000)
    source = rewritten(written["flowers"].parent, tmp_path / "many", lambda entry: entry)
    search = [e for e in read(source / "ledger.jsonl") if e["kind"] == "trial" and e["stage"] == "search"]
    with Ledger.open(source / "ledger.jsonl") as ledger:
        for entry in itertools.islice(itertools.cycle(search), 1900):
            ledger.append(
                "trial", {**{k: v for k, v in entry.items() if k not in ("kind", "crc")}, "number": next(numbers)}
            )
    made = api.report(source)
    assert made.trials > 1900
    page = opened(made.path)
    assert page.evaluate("performance.getEntriesByType('navigation')[0].domInteractive") < 15_000
    assert page.locator("#table tbody tr").count() == 100
    seen = set(cells(page, "trial"))
    page.locator("#on").click()
    assert not seen & set(cells(page, "trial"))
    assert page.locator("#count").inner_text() == f"101 to 200 of {made.trials}"
