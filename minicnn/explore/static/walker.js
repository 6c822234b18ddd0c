// Draws a walk: the line on the left, what every name holds on the right, and the ways to step.

import { el, replace, show } from "./dom.js";
import { NumberGrid } from "./grid.js";
import { writtenSum } from "./sums.js";
import { around, t } from "./texts.js";
import { planes, Walk } from "./walk.js";

const PLANES = 18; // of one array, drawn at once
const ROWS = 64;
const SAID = { enter: "walk.entered", yield: "walk.yields", return: "walk.returns", resume: "walk.resumes", line: "walk.has_run" };

export class Walker {
  /**
   * words: { names, letters } of the notation; moved(place) after each step; origin(step, name, at), where given, is asked for
   * what a number was made from by a step, and answers through `told`.
   */
  constructor({ words, moved = () => {}, origin = null }) {
    Object.assign(this, { words, moved, origin, walk: null, place: 0, held: new Map() });
    const button = (name, find) => el("button", { type: "button", title: t(`walk.${name}_title`), onclick: () => this.go(find()) }, t(`walk.${name}`));
    this.buttons = {
      back: button("back", () => this.walk.over(this.place, -1)),
      next: button("next", () => this.walk.over(this.place)),
      into: button("into", () => this.walk.into(this.place)),
      out: button("out", () => this.walk.out(this.place)),
    };
    this.buttons.next.classList.add("strong");
    this.slider = el("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": t("walk.step"), oninput: () => this.go(Number(this.slider.value)) });
    this.count = el("output", {});
    this.which = el("select", { "aria-label": t("walk.which"), onchange: () => this.#buttons() });
    this.change = button("change", () => this.walk.change(this.place, this.which.value));
    this.calls = el("p", { class: "calls" });
    this.code = el("pre", { class: "code", tabindex: 0, "aria-label": t("walk.source") });
    this.formula = el("p", { class: "formula-line" });
    this.said = el("p", { class: "said", "aria-live": "polite" });
    this.holds = el("div", { class: "holds" });
    this.explain = el("div", { class: "explain", "aria-live": "polite", id: "source-explain" });
    this.cut = el("p", { class: "problem", hidden: true });
    const steps = el("div", { class: "transport" }, Object.values(this.buttons), this.change, this.which);
    const position = el("div", { class: "transport" }, this.slider, this.count);
    this.element = el("div", {}, steps, position, this.cut,
      el("div", { class: "walk" },
        el("div", { class: "reading" }, this.calls, this.formula, this.code, this.explain),
        el("div", {}, this.said, this.holds)));
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** A new recording. Where the reader stood in the old one is kept if the same line is there too. */
  open(recording, place = null) {
    const before = this.walk && this.walk.title === recording.title ? this.place : 0;
    this.walk = new Walk(recording);
    this.shown = null;
    this.pointed = null;
    this.slider.max = this.walk.stops.length - 1;
    this.cut.hidden = !recording.cut;
    this.cut.textContent = recording.cut;
    this.go(Math.max(0, Math.min(place ?? before, this.walk.stops.length - 1)));
  }

  go(place) {
    if (place === null || !this.walk) return;
    this.place = place;
    const stop = this.walk.stops[place];
    this.slider.value = place;
    const step = { number: place + 1, count: this.walk.stops.length, line: stop.lines[0] };
    this.slider.setAttribute("aria-valuetext", t("walk.step_and_line", step));
    this.count.textContent = t("walk.step_of", step);
    this.#showCalls();
    this.#showCode();
    this.#showFormula(stop);
    this.#say(stop);
    this.#showHolds(stop);
    this.#buttons();
    replace(this.explain, el("p", { class: "note hint" }, t(this.origin ? "walk.hint_with_numbers" : "walk.hint")));
    this.moved(place);
  }

  #buttons() {
    const { walk, place } = this;
    const names = walk.names(place);
    const chosen = names.includes(this.which.value) ? this.which.value : names.find((name) => walk.change(place, name) !== null) ?? names[0];
    if (String(names) !== this.listed) replace(this.which, names.map((name) => el("option", { value: name }, name)));
    this.listed = String(names);
    if (chosen) this.which.value = chosen;
    const enabled = { back: walk.over(place, -1), next: walk.over(place), into: walk.into(place), out: walk.out(place) };
    for (const [name, to] of Object.entries(enabled)) this.buttons[name].disabled = to === null;
    this.change.disabled = !names.length || walk.change(place, this.which.value) === null;
  }

  #onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, table")) return;
    const { walk, place } = this;
    const inCode = event.target === this.code;
    const to = { ArrowRight: () => walk.over(place), ArrowLeft: () => walk.over(place, -1), ...(inCode && { ArrowDown: () => walk.into(place), ArrowUp: () => walk.out(place), Home: () => 0, End: () => walk.stops.length - 1 }) }[event.key];
    if (!to) return;
    event.preventDefault();
    this.go(to());
  }

  #showCalls() {
    const calls = this.walk.calls(this.place);
    const parts = calls.flatMap((frame, depth) => {
      const { name } = this.walk.sources[this.walk.frames[frame].source];
      const last = depth === calls.length - 1;
      const part = last ? el("strong", {}, name) : el("button", { type: "button", title: t("walk.out_to_here"), onclick: () => this.#outTo(frame) }, name);
      return depth ? [" › ", part] : [part];
    });
    const { file } = this.walk.source(this.place);
    replace(this.calls, parts, el("span", { class: "note" }, `  ${file}`));
  }

  #outTo(frame) {
    const to = this.walk.stops.findIndex((stop, place) => place > this.place && stop.frame === frame);
    this.go(to < 0 ? null : to);
  }

  #showCode() {
    const source = this.walk.source(this.place);
    if (this.shown !== source) {
      this.shown = source;
      this.lines = source.lines.map((pieces, i) => el("span", { class: "line" }, el("i", {}, source.first + i), pieces.map(([kind, text]) => this.#piece(kind, text)), "\n"));
      replace(this.code, this.lines);
    }
    const stop = this.walk.stops[this.place];
    const calling = this.walk.into(this.place) !== null;
    this.lines.forEach((line, i) => {
      const now = source.first + i >= stop.lines[0] && source.first + i <= stop.lines[1];
      line.className = `line${now ? " now" : ""}`;
      if (now) line.setAttribute("aria-current", "step");
      else line.removeAttribute("aria-current");
    });
    this.code.classList.toggle("before-call", calling);
    const line = this.lines[stop.lines[0] - source.first];
    const { offsetTop } = line;
    if (offsetTop < this.code.scrollTop + 20 || offsetTop > this.code.scrollTop + this.code.clientHeight - 60) this.code.scrollTop = offsetTop - this.code.clientHeight / 3;
  }

  #piece(kind, text) {
    if (kind !== "name" || !this.#meaning(text)) return el("span", { class: kind === "name" ? null : kind }, text);
    return el("span", { class: "known", onclick: () => this.#tell(text) }, text);
  }

  #meaning(name) {
    return this.words.names[name] ?? this.words.letters[name] ?? this.words.names[name.split(".").at(-2)] ?? null;
  }

  /** A name's meaning, and that of the letters in its shape. */
  #tell(name) {
    const [, letters] = this.walk.states[this.place][name] ?? [0, ""];
    const inShape = [...new Set(letters.match(/[A-Za-z]+/g) ?? [])].filter((letter) => letter in this.words.letters);
    replace(this.explain,
      el("p", {}, around("walk.meaning", { name: el("b", {}, name), meaning: this.#meaning(name) ?? t("walk.no_meaning") })),
      inShape.length ? el("p", { class: "note" }, t("walk.letters", { letters, meanings: inShape.map((letter) => t("walk.letter", { letter, meaning: this.words.letters[letter] })).join("; ") })) : null);
  }

  #point(name, at, label) {
    if (this.pointed?.name === name && this.pointed.at === at) return;
    const step = name.startsWith("result") ? this.place : this.walk.setBy(this.place, name, at);
    this.pointed = { name, at, label, step };
    for (const { grid } of this.grids) grid.unmark();
    if (step === null) return;
    this.origin(step, name, at);
  }

  /** What the number that is pointed at was made from; an answer about another one comes too late. */
  told(answer, name, at) {
    if (this.pointed?.name !== name || this.pointed.at !== at) return;
    const { step } = this.pointed;
    for (const { grid } of this.grids) grid.unmark();
    for (const cell of answer.cells ?? []) this.#mark(cell, "mark-input");
    this.#mark({ name, at }, "here");
    const number = el("b", {}, this.#written(name, at));
    const where = el("button", { type: "button", class: "quiet", onclick: () => this.go(step) }, t("walk.line_and_step", { line: this.walk.stops[step].lines[0], step: step + 1 }));
    if (answer.kind === "argument") replace(this.explain, this.#argument(answer, number));
    else replace(this.explain, el("p", {}, around(step === this.place ? "walk.set_here" : "walk.set_by", { number, where })), this.#made(answer));
  }

  /** What came with a call was made in the caller, whose names are not on the page: so they are written. */
  #argument({ made, line, function: caller }, number) {
    if (!made) return [el("p", {}, around("walk.argument", { number }))];
    const cells = (made.cells ?? []).slice(0, 6).map(({ name, index }) => `${name}[${index.join(", ")}]`);
    const all = cells.length < (made.cells ?? []).length ? [...cells, "…"] : cells;
    return [
      el("p", {}, around("walk.argument_from", { number, line, function: el("code", {}, caller) })),
      this.#made(made),
      made.kind === "sum" ? el("p", { class: "note" }, t("walk.made_from", { cells: all.join(", ") })) : null,
    ].flat();
  }

  #made(answer) {
    const cells = answer.cells ?? [];
    const listed = cells.slice(0, 12).map(({ name, index, value }) => `${name}[${index.join(", ")}] = ${show(value)}`).join(", ");
    if (answer.kind === "copy") return el("p", {}, t("walk.copy", { cells: listed }));
    if (answer.kind === "sum") return [writtenSum(answer.terms, null, answer.value), answer.left_out ? el("p", { class: "note" }, t("walk.more_terms", { count: answer.left_out })) : null];
    if (answer.kind === "computed") return el("p", {}, t(cells.length > 12 ? "walk.computed_and_more" : "walk.computed", { cells: listed, count: cells.length - 12 }));
    return ["constant", "unset", "unknown"].includes(answer.kind) ? el("p", { class: answer.kind === "unknown" ? "note" : null }, t(`walk.${answer.kind}`)) : null;
  }

  /** name[i, j]: a flat place as an index. */
  #written(name, at) {
    const stop = this.walk.stops[this.place];
    const pair = name.startsWith("result") ? stop.result[Number(name.split(" ")[1] ?? 0)] : this.walk.states[this.place][name];
    const index = [];
    for (const size of this.walk.values[pair[0]].shape.toReversed()) {
      index.unshift(at % size);
      at = Math.floor(at / size);
    }
    return `${name}[${index.join(", ")}]`;
  }

  #mark({ name, at }, mark) {
    for (const { grid, first, columns, rows, name: shown } of this.grids) {
      const place = at - first;
      if (shown === name && place >= 0 && place < rows * columns) grid.mark(mark, [[Math.floor(place / columns), place % columns]]);
    }
  }

  #showFormula(stop) {
    const { formula } = this.walk.source(this.place);
    this.formula.hidden = !formula;
    const at = stop.part ? formula.indexOf(stop.part) : -1;
    replace(this.formula, at < 0 ? formula : [formula.slice(0, at), el("mark", {}, stop.part), formula.slice(at + stop.part.length)]);
  }

  #say(stop) {
    const loops = (stop.loops ?? []).map(({ word, number, of }) => t(of ? `walk.${word}_of` : `walk.${word}`, { number, count: of }));
    const [first, last] = stop.lines;
    const lines = first === last ? t("walk.line", { line: first }) : t("walk.lines", { first, last });
    replace(this.said, el("strong", {}, lines), " ", t(SAID[stop.kind]), loops.length ? el("b", { class: "loops" }, ` ${loops.join(", ")}`) : null);
  }

  #showHolds(stop) {
    this.grids = [];
    this.pointed = null;
    const state = this.walk.states[this.place];
    const changes = new Map(Object.keys(state).map((name) => [name, stop.kind === "enter" ? null : this.walk.changed(this.place, name)]));
    const results = (stop.result ?? []).map((pair, i, all) => this.#held(all.length > 1 ? `result ${i}` : "result", pair, null, true));
    const changed = Object.keys(state).filter((name) => changes.get(name) !== null);
    const read = this.#read(stop);
    const rest = Object.keys(state).filter((name) => changes.get(name) === null).sort((a, b) => read.has(b) - read.has(a));
    replace(this.holds, results,
      changed.map((name) => this.#held(name, state[name], changes.get(name))),
      changed.length + results.length && rest.length ? el("p", { class: "view-rule" }, t("walk.as_before")) : null,
      rest.map((name) => this.#held(name, state[name], null)));
  }

  /** The names in the line: what it reads stands before what it leaves alone. */
  #read(stop) {
    const source = this.walk.source(this.place);
    const pieces = source.lines.slice(stop.lines[0] - source.first, stop.lines[1] - source.first + 1).flat();
    return new Set(pieces.filter(([kind]) => kind === "name").map(([, text]) => text));
  }

  #held(name, [number, letters], change, result = false) {
    const value = this.walk.values[number];
    const title = result ? el("span", {}, name.replace("result", t("walk.result"))) : el("button", { type: "button", title: t("walk.title"), onclick: () => this.#tell(name) }, name);
    const head = el("h3", {}, title);
    const box = el("div", { class: `held${change ? " changed" : ""}`, "data-name": name }, head);
    if (!value.data) {
      box.classList.add("plain");
      box.append(el("p", {}, value.text));
      return box;
    }
    head.append(el("span", { class: "shape" }, `${letters ? `${letters} = ` : ""}(${value.shape.join(", ")})`), el("span", {}, value.dtype));
    const all = planes(value, letters);
    const size = all.length ? all[0].columns * all[0].values.length : 0;
    const wanted = all.filter((plane) => change instanceof Set && [...change].some((at) => at >= plane.first && at < plane.first + size));
    const drawn = all.length <= PLANES ? all : [...new Set([...wanted, ...all])].slice(0, PLANES).sort((a, b) => a.first - b.first);
    const grids = drawn.map((plane) => this.#grid(name, plane, change));
    if (grids.length) box.append(el("div", { class: "planes" }, grids));
    else box.append(el("p", { class: "note" }, t("walk.empty")));
    if (drawn.length < all.length) box.append(el("p", { class: "note" }, t("walk.planes", { drawn: drawn.length, count: all.length })));
    if (drawn.some((plane) => plane.values.length > ROWS)) box.append(el("p", { class: "note" }, t("walk.rows", { drawn: ROWS, count: drawn[0].values.length })));
    if (value.data.includes(null)) box.append(el("p", { class: "note" }, t("walk.dot")));
    return box;
  }

  #grid(name, plane, change) {
    const label = `${name} ${plane.name}`.trim();
    const at = (i, j) => plane.first + i * plane.columns + j;
    const grid = new NumberGrid({ label, caption: plane.name, onPoint: this.origin && ((i, j) => this.#point(name, at(i, j), label)) });
    this.grids.push({ ...plane, grid, name, rows: plane.values.length });
    grid.update(plane.values.slice(0, ROWS), {
      classes: (i, j) => (plane.values[i][j] === null ? "unset" : change === "new" || change?.has(at(i, j)) ? "changed" : ""),
    });
    plane.values.slice(0, ROWS).forEach((row, i) => row.forEach((number, j) => {
      if (number !== null) return;
      grid.cells[i][j].textContent = "·";
      grid.cells[i][j].setAttribute("aria-label", t("walk.not_written"));
    }));
    return grid.element;
  }
}
