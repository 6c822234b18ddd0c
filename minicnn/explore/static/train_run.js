// View "Train": what one run shows, drawn anew in the same elements with each answer.

import { count, el, replace, show } from "./dom.js";
import { bytesOf, plane } from "./planes.js";
import { t } from "./texts.js";
import { updateTerms } from "./train_update.js";

const percent = (value) => `${show(100 * value, 3)} %`;

/** Canvases of all maps in one answer of the server ({ bytes, shape }), in the box's own canvases. */
function maps(box, shades, { signed, scale, wrap = null }) {
  const [channels, height, width] = shades.shape;
  const bytes = bytesOf(shades.bytes);
  for (let channel = 0; channel < channels; channel++) {
    const holder = box.children[channel] ?? box.appendChild(wrap ? wrap(channel) : el("span", {}));
    const canvas = plane(bytes.subarray(channel * height * width, (channel + 1) * height * width), height, width, { signed, scale, canvas: holder.querySelector("canvas") });
    if (!canvas.isConnected) holder.append(canvas);
  }
  while (box.children.length > channels) box.lastChild.remove();
}

function table(caption, columns, rows) {
  return el("div", { class: "wide-table" }, el("table", { class: "plain" }, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, rows.map(([name, ...cells]) => el("tr", {}, el("th", { scope: "row" }, name), cells.map((cell) => el("td", { "data-value": cell }, show(cell, 3))))))));
}

export class RunPanel {
  /** place: 0 or 1; act: { rate(lr), keep(), choose(parameter, place) } */
  constructor(place, act) {
    this.act = act;
    this.title = el("h3", {});
    this.facts = el("p", { class: "run-facts" });
    this.told = el("p", { class: "note", "aria-live": "polite" });
    this.hints = el("div", { class: "hints", "aria-live": "polite" });
    this.shownHints = "";
    this.rate = el("input", { type: "text", inputmode: "decimal", size: 8, id: `rate-${place}`, autocomplete: "off" });
    const keep = el("button", { type: "button", class: "quiet", onclick: act.keep }, t("train.keep"));
    this.kept = el("p", { class: "note", role: "status" });
    const change = el("form", { class: "actions" }, el("label", { for: `rate-${place}` }, t("train.rate")), this.rate, el("button", {}, t("train.change")), keep);
    change.addEventListener("submit", (event) => {
      event.preventDefault();
      act.rate(this.rate.value.trim());
    });
    this.filters = el("div", { class: "filters", role: "group", "aria-label": t("train.filters") });
    this.gradients = el("div", { class: "filters", role: "img", "aria-label": t("train.filter_gradients") });
    this.noGradients = el("p", { class: "note" }, t("train.not_yet"));
    this.sizes = el("div", {});
    this.dead = el("div", {});
    this.image = el("div", {});
    this.bars = el("div", { class: "class-bars still" });
    this.layers = el("div", {});
    this.update = el("div", {});
    const part = (key, ...children) => el("details", { class: "card", open: true }, el("summary", {}, t(key)), children);
    this.element = el("section", { class: "train-run", "aria-label": t("train.run", { letter: "AB"[place] }) }, this.title, this.facts, this.told, this.hints, change, this.kept, el("div", { class: "run-parts" }, el("div", {},
      part("train.filters", this.filters, el("p", { class: "note" }, t("train.filters_note")), el("h4", {}, t("train.filter_gradients")), this.gradients, this.noGradients),
      part("train.update", this.update),
      part("train.sizes", el("p", { class: "note" }, t("train.sizes_note")), this.sizes, this.dead)), el("div", {},
      part("train.digit", el("div", { class: "train-digit" }, this.image, this.bars), this.layers))));
  }

  draw(run, letter) {
    const { setting } = run;
    this.title.textContent = `${t("train.run", { letter })}: ${t(`train.optimizer.${setting.optimizer}`)}, ${t("train.short_rate", { lr: show(run.lr) })}, ${t("train.short_batch", { size: setting.batch_size })}`;
    const last = run.history.at(-1);
    const step = run.steps % run.epoch_steps || (run.steps ? run.epoch_steps : 0);
    replace(this.facts, t("train.facts", { epoch: run.epochs + (run.steps % run.epoch_steps ? 1 : 0), step, all: run.epoch_steps, seen: count(run.seen) }),
      last ? ` ${t("train.last", { val: percent(last.val_accuracy), loss: show(last.val_loss, 3) })}` : "");
    const told = run.ended ? t(`train.ended.${run.ended}`, { error: run.error }) : "";
    if (this.told.textContent !== told) this.told.textContent = told;
    this.#drawHints(run.hints);
    if (this.lr !== run.lr && document.activeElement !== this.rate) {
      this.lr = run.lr;
      this.rate.value = run.lr;
    }
    maps(this.filters, run.filters, { signed: true, scale: 8, wrap: (o) => el("button", { type: "button", class: "picture", "aria-label": t("train.choose_filter", { filter: o }), onclick: () => this.act.choose("cnn.0.weight", [o, 0, 2, 2]) }) });
    this.noGradients.hidden = Boolean(run.filter_gradients);
    if (run.filter_gradients) maps(this.gradients, run.filter_gradients, { signed: true, scale: 8 });
    replace(this.sizes, table(t("train.sizes_caption"), ["", "weight", "gradient", "update", "ratio"].map((name) => name && t(`train.size.${name}`)), run.sizes.map((row) => [row.name, row.weight, row.gradient, row.update, row.ratio])));
    replace(this.dead, run.dead.length ? table(t("train.dead_caption"), ["", "dead", "units"].map((name) => name && t(`train.size.${name}`)), run.dead.map((row) => [row.name, row.dead, row.units])) : "");
    this.#drawDigit(run);
    replace(this.update, run.update ? updateTerms(run.update) : el("p", { class: "note" }, t("train.not_yet")));
  }

  /** Said anew only when it is another hint, so that a screen reader is not interrupted ten times a second. */
  #drawHints(hints) {
    const keys = hints.map(({ key, values }) => key + (values.layer ?? values.name ?? "")).join();
    if (keys === this.shownHints) return;
    this.shownHints = keys;
    replace(this.hints, hints.map(({ key, values }) => {
      const shown = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, ["train", "val", "share"].includes(name) ? percent(value) : show(value, 3)]));
      return el("p", { class: "hint-card", "data-hint": key }, el("strong", {}, t(`train.hint.${key}.what`, shown)), ` ${t(`train.hint.${key}.why`, shown)}`);
    }));
  }

  #drawDigit(run) {
    const [, height, width] = run.image.shape;
    const canvas = plane(bytesOf(run.image.bytes), height, width, { scale: 3, label: t("train.image", { name: run.classes[run.label] }), canvas: this.image.querySelector("canvas") });
    if (!canvas.isConnected) this.image.append(canvas);
    if (this.bars.children.length !== run.classes.length) {
      replace(this.bars, run.classes.map((name) => el("div", {}, el("span", {}, name), el("span", { class: "bar" }, el("i", {})), el("span", { class: "number" }))));
    }
    run.probabilities.forEach((value, k) => {
      const [, bar, number] = this.bars.children[k].children;
      bar.firstChild.className = k === run.label ? "green" : "blue";
      bar.firstChild.style.width = typeof value === "number" ? `${100 * value}%` : "0";
      number.textContent = typeof value === "number" ? `${(100 * value).toFixed(1)} %` : show(value);
    });
    run.activations.forEach((one, place) => {
      const box = this.layers.children[place] ?? this.layers.appendChild(el("div", { class: "train-layer" }, el("h4", {}), el("div", { class: "maps", role: "img" })));
      box.firstChild.textContent = `${one.name} ${one.layer}`;
      box.lastChild.setAttribute("aria-label", t("train.maps", { layer: one.name, count: one.maps.shape[0] }));
      maps(box.lastChild, one.maps, { signed: one.signed, scale: one.maps.shape[0] > 1 ? 40 / one.maps.shape[2] : one.maps.shape[2] > 20 ? 4 : 8 });
    });
    while (this.layers.children.length > run.activations.length) this.layers.lastChild.remove();
  }
}
