// The controls of a view: each has a name, a value, and tells when it changes.

import { el } from "./dom.js";
import { t } from "./texts.js";

let ids = 0;

/** A form of controls; `changed()` is called after each change. Closed at first where the screen is narrow. */
export class Controls {
  constructor(title, changed) {
    this.changed = changed;
    this.read = {};
    this.write = {};
    this.items = {};
    this.element = el("details", { class: "controls", open: !matchMedia("(max-width: 860px)").matches }, el("summary", {}, title));
  }

  get values() {
    return Object.fromEntries(Object.entries(this.read).map(([name, read]) => [name, read()]));
  }

  show(names) {
    for (const [name, item] of Object.entries(this.items)) item.classList.toggle("off", !names.includes(name));
  }

  add(name, item, read, write = () => {}) {
    this.items[name] = item;
    this.read[name] = read;
    this.write[name] = write;
    this.element.append(item);
    return this;
  }

  /** One whole number with a slider. The slider is for the pointer: in the box the arrow keys do the same. */
  number(name, { min, max, value, label = name }) {
    const id = `c${ids++}`;
    const box = el("input", { type: "number", id, min, max, value, step: 1, name });
    const slider = el("input", { type: "range", min, max, value, step: 1, tabindex: -1, "aria-label": t("control.slider", { label }) });
    const bound = el("output", { class: "bound" });
    const set = (text) => {
      const number = clamp(text, min, max);
      if (number === null) return;
      bound.value = bounded(text, min, max);
      box.value = slider.value = number;
      this.changed(name);
    };
    box.addEventListener("input", () => set(box.value));
    slider.addEventListener("input", () => set(slider.value));
    const item = el("div", { class: "control" }, el("div", { class: "row" }, el("label", { class: "name", for: id }, label), box), bound, slider);
    return this.add(name, item, () => clamp(box.value, min, max) ?? value, (number) => (box.value = slider.value = number));
  }

  /** Two whole numbers, height and width; the slider moves both. */
  pair(name, { min, max, value, label = name }) {
    const boxes = ["height", "width"].map((axis, i) => el("input", { type: "number", min, max, value: value[i], step: 1, "aria-label": `${label}, ${t(`axis.${axis}`)}`, name: `${name}-${axis}` }));
    const slider = el("input", { type: "range", min, max, value: value[0], step: 1, tabindex: -1, "aria-label": t("control.slider_of_both", { label }) });
    const bound = el("output", { class: "bound" });
    slider.addEventListener("input", () => {
      bound.value = "";
      for (const box of boxes) box.value = slider.value;
      this.changed(name);
    });
    for (const box of boxes) {
      box.addEventListener("input", () => {
        if (clamp(box.value, min, max) === null) return;
        bound.value = bounded(box.value, min, max);
        box.value = clamp(box.value, min, max);
        slider.value = boxes[0].value;
        this.changed(name);
      });
    }
    const item = el("fieldset", { class: "control" }, el("legend", { class: "visually-hidden" }, label),
      el("div", { class: "row" }, el("span", { class: "name", "aria-hidden": "true" }, label), boxes[0], "×", boxes[1]), bound, slider);
    const write = (pair) => pair.forEach((number, i) => (boxes[i].value = slider.value = number));
    return this.add(name, item, () => boxes.map((box, i) => clamp(box.value, min, max) ?? value[i]), write);
  }

  select(name, { options, value, label = name, words = {} }) {
    const id = `c${ids++}`;
    const box = el("select", { id, name, onchange: () => this.changed(name) }, options.map((option) => el("option", { value: option }, words[option] ?? option)));
    box.value = value;
    const item = el("div", { class: "control" }, el("div", { class: "row" }, el("label", { class: "name", for: id }, label), box));
    return this.add(name, item, () => box.value, (option) => (box.value = option));
  }

  check(name, { value, label = name }) {
    const box = el("input", { type: "checkbox", name, onchange: () => this.changed(name) });
    box.checked = value;
    return this.add(name, el("label", { class: "control" }, box, label), () => box.checked, (on) => (box.checked = on));
  }
}

/** The whole number in a text, brought between min and max; null when there is none. */
function clamp(text, min, max) {
  const number = Number.parseInt(text, 10);
  return Number.isNaN(number) ? null : Math.max(min, Math.min(max, number));
}

/** What to say of a number that was brought between min and max: nothing if it was there. */
function bounded(text, min, max) {
  const number = Number.parseInt(text, 10);
  if (number > max) return t("control.too_large", { number, max });
  if (number < min) return t("control.too_small", { number, min });
  return "";
}

/** Buttons of which one is pressed. */
export function segments(label, options, value, choose) {
  const box = el("div", { class: "segments", role: "group", "aria-label": label });
  for (const [option, text] of options) {
    box.append(el("button", { type: "button", "data-option": option, onclick: () => { press(box, option); choose(option); } }, text));
  }
  press(box, value);
  return box;
}

/** Shows which of the buttons is pressed, without choosing it. */
export function press(box, chosen) {
  for (const button of box.children) button.setAttribute("aria-pressed", String(button.dataset.option === String(chosen)));
}
