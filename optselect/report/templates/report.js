"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const root = document.documentElement;

  // -- light and dark ------------------------------------------------------------------------------------
  const theme = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const kept = (value) => {  // where the page has no storage of its own it forgets, and works
    try {
      if (value) localStorage.setItem("optselect-theme", value);
      return localStorage.getItem("optselect-theme");
    } catch { return null; }
  };
  const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  const before = kept();
  if (before === "light" || before === "dark") root.dataset.theme = before;
  theme.hidden = false;
  label();
  system.addEventListener("change", label);
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept(root.dataset.theme);
    label();
  });

  // -- single optimizers in all pictures -------------------------------------------------------------------
  const chips = [...document.querySelectorAll(".chip")];
  const arms = [...document.querySelectorAll("#pictures .arm")];
  const pick = () => {
    const picked = chips.filter((c) => c.getAttribute("aria-pressed") === "true").map((c) => c.dataset.arm);
    for (const arm of arms) arm.classList.toggle("dim", picked.length > 0 && !picked.some((p) => arm.classList.contains(p)));
  };
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      pick();
    });
  }

  // -- what a mark stands for --------------------------------------------------------------------------------
  const column = new Map(data.columns.map((c, i) => [c.name, i]));
  const trials = new Map(data.rows.map((row) => [row[column.get("trial")], row]));
  const shown = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value !== "number" || Number.isInteger(value)) return String(value);
    return String(Number(value.toPrecision(4)));
  };
  const story = (number) => {
    const row = trials.get(number);
    const rest = data.columns.map((c, i) => (["trial", "stage", "optimizer", "outcome", "seed"].includes(c.name) || row[i] === null
      ? "" : `${c.name} ${shown(row[i])}`)).filter(Boolean);
    const first = ["optimizer", "stage", "outcome"].map((name) => row[column.get(name)]);
    return `#${number} ${first.join(", ")}\n${rest.join(", ")}`;
  };
  const tip = byId("tip");
  const places = new WeakMap();
  const read = (path) => {  // the marks of a path: each begins with its middle
    if (!places.has(path)) {
      const numbers = path.dataset.n.split(" ").map(Number);
      const at = path.getAttribute("d").split("M").slice(1).map((s) => s.match(/-?[\d.]+/g).slice(0, 2).map(Number));
      places.set(path, at.map(([x, y], i) => ({ x, y, number: numbers[i] })));
    }
    return places.get(path);
  };
  const nearest = (svg, event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    let best = null, least = 14;
    for (const path of svg.querySelectorAll("[data-n]")) {
      for (const mark of read(path)) {
        const far = Math.hypot(mark.x - at.x, mark.y - at.y);
        if (far < least) { least = far; best = mark; }
      }
    }
    return best && story(best.number);
  };
  const point = (event) => {
    const svg = event.target.closest?.("svg.plot");
    const words = svg && (event.target.closest("[data-t]")?.dataset.t || nearest(svg, event));
    tip.hidden = !words;
    if (!words) return;
    tip.textContent = words;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(6, Math.min(event.clientX + 12, innerWidth - box.width - 6))}px`;
    tip.style.top = `${event.clientY + 16 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 16}px`;
  };
  for (const kind of ["pointermove", "pointerdown"]) byId("pictures").addEventListener(kind, point, { passive: true });
  for (const kind of ["scroll", "pointerout"]) addEventListener(kind, () => { tip.hidden = true; }, { passive: true });

  // -- the table -------------------------------------------------------------------------------------------
  const PAGE = 100;
  const table = byId("table"), body = table.tBodies[0];
  const marks = new Map([...document.querySelectorAll(".legend .chip")].map((c) => [c.textContent.trim(), c]));
  const heads = [...table.tHead.rows[0].cells];
  const filters = ["optimizer", "stage", "outcome"].filter((name) => column.has(name));
  let sorted = { at: Math.max(0, data.columns.findIndex((c) => c.name === "trial")), down: false };
  let page = 0, rows = data.rows;

  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b));
  const select = () => {
    const wanted = filters.map((name) => [column.get(name), byId(`filter-${name}`).value]).filter(([, v]) => v);
    const { at, down } = sorted;
    rows = data.rows.filter((row) => wanted.every(([i, v]) => row[i] === v));
    const there = rows.filter((row) => row[at] !== null), missing = rows.filter((row) => row[at] === null);
    there.sort((a, b) => (down ? -1 : 1) * compare(a[at], b[at]));
    rows = [...there, ...missing];  // what is missing comes last, whichever way
    page = 0;
  };
  const cell = (row, value, i) => {
    const made = document.createElement("td");
    const { name, kind } = data.columns[i];
    if (kind === "number") made.className = "num";
    if (name === "optimizer" && marks.has(value)) {
      const key = document.createElement("span");
      key.className = marks.get(value).dataset.arm;
      key.append(marks.get(value).firstElementChild.cloneNode(true));
      made.append(key);
    }
    if (name === "outcome") made.className = value;
    if (name === "message" && value) made.title = value;
    made.append(shown(value));
    return made;
  };
  const draw = (from = page * PAGE, count = PAGE) => {
    const made = rows.slice(from, from + count).map((row) => {
      const line = document.createElement("tr");
      line.append(...row.map((value, i) => cell(row, value, i)));
      return line;
    });
    body.replaceChildren(...made);
    heads.forEach((head, i) => {
      if (i === sorted.at) head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const last = Math.min(from + PAGE, rows.length);
    byId("count").textContent = rows.length ? `${from + 1} to ${last} of ${rows.length}` : "none";
    byId("back").disabled = page === 0;
    byId("on").disabled = last >= rows.length;
  };
  const turn = (by) => { page += by; draw(); body.parentElement.parentElement.scrollTop = 0; };

  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      sorted = { at: i, down: sorted.at === i && !sorted.down };
      select();
      draw();
    });
    head.replaceChildren(button);
  });
  for (const name of filters) {
    const found = [...new Set(data.rows.map((row) => row[column.get(name)]))].sort();
    const box = byId(`filter-${name}`);
    box.append(new Option("all", ""), ...found.map((value) => new Option(value, value)));
    box.addEventListener("change", () => { select(); draw(); });
  }
  byId("back").addEventListener("click", () => turn(-1));
  byId("on").addEventListener("click", () => turn(1));

  const note = byId("table-note"), onPaper = note.textContent;
  const paper = matchMedia("print");
  const media = (print) => {  // on paper the first rows of the table as it is sorted now, and a word on the others
    note.hidden = !print;
    if (print) {
      const count = Math.min(data.print, rows.length);
      note.textContent = count < data.rows.length ? `The first ${count} of ${data.rows.length} trainings, sorted by ${data.columns[sorted.at].name}.` : onPaper;
      draw(0, data.print);
    } else draw();
  };
  byId("controls").hidden = false;
  const goal = byId("table").dataset.objective;
  if (column.has(goal)) sorted = { at: column.get(goal), down: byId("table").dataset.larger === "yes" };
  select();
  media(paper.matches);
  paper.addEventListener("change", () => media(paper.matches));
  addEventListener("beforeprint", () => media(true));  // before pages are counted
  addEventListener("afterprint", () => media(false));

  // -- copying -----------------------------------------------------------------------------------------------
  const copy = byId("copy");
  if (copy) {
    const code = byId("snippet");
    const choose = () => {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    };
    const by = async () => {
      try { await navigator.clipboard.writeText(code.textContent); return true; } catch { /* not a secure context, or in a frame */ }
      choose();
      return document.execCommand("copy");
    };
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      const done = await by().catch(() => false);
      byId("copied").textContent = done ? "Copied." : "Selected: press Ctrl+C or ⌘C to copy.";
    });
  }
})();
