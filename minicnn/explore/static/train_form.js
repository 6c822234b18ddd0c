// View "Train": the settings of one run or of two.

import { el } from "./dom.js";
import { t } from "./texts.js";

let ids = 0;

/** A labelled input or select: { item, read(), write(value) }. */
function field(name, input, read, write) {
  const id = `t${ids++}`;
  input.id = id;
  input.name = name;
  const item = el("div", { class: "control" }, el("div", { class: "row" }, el("label", { class: "name", for: id }, t(`train.field.${name}`)), input));
  return { item, read: () => read(input), write: (value) => write(input, value) };
}

const whole = (name, min, max) => field(name, el("input", { type: "number", min, max, step: 1, class: "long" }),
  (input) => Number.parseInt(input.value, 10) || 0, (input, value) => (input.value = value));

/** What a person types, "1e-3" for one, goes to the server as it is: there it is read, or refused with a sentence. */
const real = (name) => field(name, el("input", { type: "text", inputmode: "decimal", size: 7, autocomplete: "off" }),
  (input) => input.value.trim() || "0", (input, value) => (input.value = value));

const choice = (name, options) => field(name, el("select", {}, options.map((option) => el("option", { value: option }, t(`train.${name}.${option}`)))),
  (input) => input.value, (input, value) => (input.value = value));

/** The fields of one run, as a fieldset; `read()` is what the server takes. */
class RunFields {
  constructor(title, choices, plain, changed) {
    this.fields = {
      optimizer: choice("optimizer", choices.optimizer),
      lr: real("lr"),
      momentum: real("momentum"),
      batch_size: whole("batch_size", 1, 1000),
      seed: whole("seed", 0, 2 ** 31 - 1),
      weights: choice("weights", ["seed", "zeros"]),
      relu: choice("relu", ["true", "false"]),
      labels: choice("labels", ["true", "shuffled"]),
    };
    const { weights, relu, labels, ...usual } = this.fields;
    this.element = el("fieldset", { class: "card run-fields" }, el("legend", {}, title),
      Object.values(usual).map((one) => one.item),
      el("details", {}, el("summary", {}, t("train.more")), [weights, relu, labels].map((one) => one.item)));
    this.element.addEventListener("input", () => {
      this.follow();
      changed();
    });
    this.write(plain);
  }

  follow() {
    this.fields.momentum.item.classList.toggle("off", this.fields.optimizer.read() !== "momentum");
  }

  read() {
    const values = Object.fromEntries(Object.entries(this.fields).map(([name, one]) => [name, one.read()]));
    return { ...values, relu: values.relu === "true" };
  }

  write(setting) {
    for (const [name, one] of Object.entries(this.fields)) one.write(String(setting[name]));
    const { weights, relu, labels } = setting;
    if (weights !== "seed" || !relu || labels !== "true") this.element.querySelector("details").open = true;
    this.follow();
  }
}

/** The whole form: what both runs have in common, run A, and run B where it is wanted. */
export class Form {
  constructor({ choices, plain }, changed) {
    this.plain = plain;
    this.common = { task: choice("task", choices.task), images: whole("images", 1, choices.images), backend: choice("backend", choices.backend) };
    this.runs = ["A", "B"].map((letter) => new RunFields(t("train.run", { letter }), choices, plain, changed));
    this.second = el("input", { type: "checkbox", id: "train-second" });
    const common = el("fieldset", { class: "card run-fields" }, el("legend", {}, t("train.both")), Object.values(this.common).map((one) => one.item),
      el("label", { class: "control" }, this.second, t("train.second")));
    common.addEventListener("input", () => {
      this.follow();
      changed();
    });
    this.element = el("div", { class: "train-form" }, common, this.runs.map((one) => one.element));
    this.write([plain]);
  }

  follow() {
    this.runs[1].element.hidden = !this.second.checked;
  }

  read() {
    const common = Object.fromEntries(Object.entries(this.common).map(([name, one]) => [name, one.read()]));
    return this.runs.slice(0, this.second.checked ? 2 : 1).map((one) => ({ ...common, ...one.read() }));
  }

  write(settings) {
    for (const [name, one] of Object.entries(this.common)) one.write(settings[0][name]);
    this.second.checked = settings.length > 1;
    settings.forEach((setting, place) => this.runs[place].write(setting));
    if (settings.length === 1) this.runs[1].write({ ...this.plain, optimizer: "SGD" });
    this.follow();
  }
}
