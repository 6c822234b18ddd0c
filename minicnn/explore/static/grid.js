// A plane of numbers as a table: read, edited, pointed at; and a stack of planes, one for each channel.

import { el, show } from "./dom.js";
import { t } from "./texts.js";

const NUMBER = /^\s*[-+−]?(\d+\.?\d*(e[-+−]?\d+)?|\.\d+(e[-+−]?\d+)?|nan|inf|infinity|∞)\s*$/i;

/** What a person typed, if it is a number that the server can read. */
export const readable = (text) => NUMBER.test(text);

export class NumberGrid {
  /**
   * label: what screen readers say; onEdit(row, column, text), where the cells can be edited; onPoint(row, column) when the
   * pointer or the focus comes to a cell.
   */
  constructor({ label, onEdit = null, onPoint = null, caption = "" }) {
    this.label = label;
    this.onEdit = onEdit;
    this.onPoint = onPoint;
    this.cells = [];
    this.current = [0, 0];
    this.caption = el("caption", {}, caption);
    this.table = el("table", { role: "grid", "aria-label": label }, this.caption);
    this.element = el("div", { class: "grid" }, this.table);
    this.table.addEventListener("keydown", (event) => this.#onKey(event));
    this.table.addEventListener("focusin", (event) => this.#onReach(event, true));
    this.table.addEventListener("pointerover", (event) => this.#onReach(event, false));
    if (onEdit) this.table.addEventListener("input", (event) => this.#onInput(event));
  }

  /** values: rows of numbers; first: the index of the first row and column (padding comes before 0). */
  update(values, { first = [0, 0], classes = null } = {}) {
    const rows = values.length;
    const columns = values[0].length;
    if (this.cells.length !== rows || this.cells[0].length !== columns || String(this.first) !== String(first)) {
      this.first = first;
      this.#build(rows, columns);
    }
    const texts = values.map((row) => row.map((value) => show(value)));
    const wide = texts.some((row) => row.some((text) => text.length > 4));
    values.forEach((row, i) => row.forEach((value, j) => {
      const cell = this.cells[i][j];
      cell.dataset.value = value;
      cell.className = `cell${wide ? " wide" : ""}${this.onEdit ? " editable" : ""}${classes ? ` ${classes(i, j)}` : ""}`;
      const all = show(value, 17);
      cell.title = all === texts[i][j] ? "" : all;
      if (!this.onEdit) cell.textContent = texts[i][j];
      else if (cell.firstChild !== document.activeElement) {
        cell.firstChild.value = texts[i][j];
        cell.firstChild.removeAttribute("aria-invalid");
      }
    }));
    this.base = this.cells.map((row) => row.map((cell) => cell.className));
  }

  mark(name, places) {
    for (const [i, j] of places) this.cells[i]?.[j]?.classList.add(name);
  }

  unmark() {
    this.cells.forEach((row, i) => row.forEach((cell, j) => {
      if (cell.className !== this.base[i][j]) cell.className = this.base[i][j];
    }));
  }

  #build(rows, columns) {
    const [top, left] = this.first;
    const head = el("tr", {}, el("td"), ...Array.from({ length: columns }, (_, j) => el("th", { scope: "col" }, show(j + left))));
    this.current = [Math.min(this.current[0], rows - 1), Math.min(this.current[1], columns - 1)];
    this.cells = Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => {
      const name = t("grid.cell", { label: this.label, row: i + top, column: j + left });
      const stop = i === this.current[0] && j === this.current[1] ? 0 : -1;
      const cell = this.onEdit
        ? el("td", { class: "cell", role: "gridcell" }, el("input", { type: "text", inputmode: "text", "aria-label": name, tabindex: stop, maxlength: 12, autocomplete: "off", spellcheck: "false" }))
        : el("td", { class: "cell", role: "gridcell", tabindex: stop });
      cell.dataset.place = `${i},${j}`;
      return cell;
    }));
    const body = this.cells.map((row, i) => el("tr", {}, el("th", { scope: "row" }, show(i + top)), ...row));
    this.table.replaceChildren(this.caption, el("thead", {}, head), el("tbody", {}, ...body));
  }

  #place(event) {
    const cell = event.target.closest("td[data-place]");
    return cell ? cell.dataset.place.split(",").map(Number) : null;
  }

  #target([i, j]) {
    return this.onEdit ? this.cells[i][j].firstChild : this.cells[i][j];
  }

  #onReach(event, focused) {
    const place = this.#place(event);
    if (!place) return;
    if (focused) {
      this.#target(this.current).tabIndex = -1;
      this.current = place;
      this.#target(place).tabIndex = 0;
      if (this.onEdit) event.target.select();
    }
    this.onPoint?.(...place);
  }

  #onKey(event) {
    const place = this.#place(event);
    if (!place) return;
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Enter: [1, 0] }[event.key];
    let [i, j] = place;
    if (step) [i, j] = [i + step[0], j + step[1]];
    else if (event.key === "Home") j = 0;
    else if (event.key === "End") j = this.cells[0].length - 1;
    else return;
    event.preventDefault();
    if (this.cells[i]?.[j]) this.#target([i, j]).focus();
  }

  #onInput(event) {
    const [i, j] = this.#place(event);
    const good = readable(event.target.value);
    if (good) event.target.removeAttribute("aria-invalid");
    else event.target.setAttribute("aria-invalid", "true");
    event.target.title = good ? "" : t("grid.not_a_number");
    if (good) this.onEdit(i, j, event.target.value);
  }
}

export class Stack {
  /** kind: input, weight, output or gradient (its colour); onPoint and onEdit get the channel first. */
  constructor({ title, kind, label = title, note = "", onEdit = null, onPoint = null, channelName = t("grid.channel") }) {
    Object.assign(this, { kind, label, onEdit, onPoint, channelName });
    this.grids = [];
    this.channels = [];
    this.title = el("h3", {}, title);
    this.note = el("p", { class: "note" }, note);
    this.planes = el("div", { class: "planes" });
    this.element = el("div", { class: `stack ${kind}` }, this.title, this.note, this.planes);
  }

  /** planes: (C, H, W); channels: the number by which each is pointed at and marked; names: the one that its caption shows. */
  update(planes, { channels = planes.map((_, c) => c), names = channels, first = [0, 0], classes = null } = {}) {
    this.channels = channels;
    while (this.grids.length > planes.length) this.grids.pop().element.remove();
    planes.forEach((plane, place) => {
      if (!this.grids[place]) {
        const grid = new NumberGrid({
          label: this.label,
          onEdit: this.onEdit && ((i, j, text) => this.onEdit(this.channels[place], i, j, text)),
          onPoint: this.onPoint && ((i, j) => this.onPoint(this.channels[place], i, j)),
        });
        this.grids.push(grid);
        this.planes.append(grid.element);
      }
      const grid = this.grids[place];
      const name = planes.length > 1 || names[0] > 0 ? `${this.channelName} ${names[place]}` : "";
      grid.label = `${this.label} ${name}`.trim();
      grid.table.setAttribute("aria-label", grid.label);
      grid.caption.textContent = name;
      grid.update(plane, { first, classes: classes && ((i, j) => classes(place, i, j)) });
    });
    this.note.hidden = !this.note.textContent;
  }

  /** places: [channel, row, column] each. */
  mark(name, places) {
    for (const [channel, i, j] of places) this.grids[this.channels.indexOf(channel)]?.mark(name, [[i, j]]);
  }

  unmark() {
    for (const grid of this.grids) grid.unmark();
  }

  scroll(places) {
    for (const [channel, i, j] of places.slice(0, 1)) {
      const grid = this.grids[this.channels.indexOf(channel)];
      const cell = grid?.cells[i]?.[j];
      if (!cell || grid.element.scrollWidth <= grid.element.clientWidth) continue;
      const left = cell.offsetLeft - 30;
      if (left < grid.element.scrollLeft || left + 120 > grid.element.scrollLeft + grid.element.clientWidth) grid.element.scrollLeft = left;
    }
  }
}
