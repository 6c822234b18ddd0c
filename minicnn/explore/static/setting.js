// The layer bench's setting: one for all views that show its numbers, and the link that carries it.

import { Controls } from "./controls.js";
import { t } from "./texts.js";

export const LAYERS = ["Conv2d", "MaxPool2d", "ConvTranspose2d"];
export const GRIDS = ["input", "weight", "bias", "grad_output"];
const CONTROLS = {
  Conv2d: ["size", "in_channels", "out_channels", "kernel_size", "stride", "padding", "padding_as", "dilation", "groups", "bias", "padding_mode", "dtype"],
  MaxPool2d: ["size", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"],
  ConvTranspose2d: ["size", "in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding", "ask_size", "output_size", "groups", "bias", "dilation", "padding_mode", "dtype"],
};
const PLAIN = {
  size: [5, 5], in_channels: 1, out_channels: 1, kernel_size: [3, 3], stride: [1, 1], padding: [1, 1], padding_as: "numbers", output_padding: [0, 0],
  ask_size: false, output_size: [6, 6], dilation: [1, 1], groups: 1, bias: true, padding_mode: "zeros", dtype: "float64", ceil_mode: false, return_indices: false,
};
const START = {
  Conv2d: { size: [5, 5], kernel_size: [3, 3], stride: [1, 1], padding: [1, 1] },
  MaxPool2d: { size: [6, 6], kernel_size: [2, 2], stride: [2, 2], padding: [0, 0] },
  ConvTranspose2d: { size: [3, 3], kernel_size: [3, 3], stride: [2, 2], padding: [1, 1] },
};

/** layer, seed, the controls' values, the numbers that were typed or drawn; `edited` once a person typed one. */
export const current = { layer: "Conv2d", backward: false, seed: 0, values: { ...PLAIN }, given: {}, edited: false };

export function chooseLayer(layer) {
  Object.assign(current, { layer, given: {}, edited: false, values: { ...current.values, ...START[layer] } });
}

/** A ConvTranspose2d on a Conv2d's numbers, as the server says it. */
export function transpose({ values, given }) {
  Object.assign(current, { layer: "ConvTranspose2d", given, edited: true, values: { ...current.values, ...values } });
}

export function otherNumbers() {
  Object.assign(current, { seed: current.seed + 10, given: {}, edited: false });
}

/** The controls of a layer's arguments; `changed(name)` after each change. */
export function argumentControls(title, changed) {
  const controls = new Controls(title, (name) => {
    current.values = controls.values;
    changed(name);
  });
  controls
    .pair("size", { min: 1, max: 12, value: PLAIN.size, label: t("view.input_size") })
    .number("in_channels", { min: 0, max: 4, value: 1 })
    .number("out_channels", { min: 0, max: 4, value: 1 })
    .pair("kernel_size", { min: 0, max: 7, value: PLAIN.kernel_size })
    .pair("stride", { min: 0, max: 8, value: PLAIN.stride })
    .pair("padding", { min: -1, max: 8, value: PLAIN.padding })
    .select("padding_as", { options: ["numbers", "same", "valid"], value: "numbers", label: t("control.padding_as"), words: { numbers: t("control.numbers") } })
    .pair("output_padding", { min: -1, max: 8, value: PLAIN.output_padding })
    .check("ask_size", { value: false, label: "forward(x, output_size)" })
    .pair("output_size", { min: 0, max: 40, value: PLAIN.output_size, label: "output_size" })
    .pair("dilation", { min: 0, max: 8, value: PLAIN.dilation })
    .number("groups", { min: 0, max: 4, value: 1 })
    .check("bias", { value: true })
    .select("padding_mode", { options: ["zeros", "reflect", "replicate", "circular"], value: "zeros" })
    .select("dtype", { options: ["float64", "float32"], value: "float64" })
    .check("ceil_mode", { value: false })
    .check("return_indices", { value: false });
  return controls;
}

/** Brings controls to the current setting, which another view or a link may have changed. */
export function follow(controls) {
  for (const [name, value] of Object.entries(current.values)) controls.write[name](value);
  current.values = controls.values; // within each control's bounds
  controls.show(CONTROLS[current.layer]);
}

/** What is asked of the server. */
export function question() {
  const { layer, values, seed, backward, given } = current;
  const padding = layer === "Conv2d" && values.padding_as !== "numbers" ? values.padding_as : values.padding;
  const output_size = layer === "ConvTranspose2d" && values.ask_size ? values.output_size : null;
  return { layer, size: values.size, arguments: { ...values, padding }, output_size, seed, backward, ...given };
}

/** "#view?..." with all that differs from the start, and what the view adds. */
export function link(view, more = {}) {
  const words = new URLSearchParams();
  const start = { ...PLAIN, ...START[current.layer] };
  const add = (name, value, plain) => String(value) !== String(plain) && words.set(name, typeof value === "string" ? value : JSON.stringify(value));
  add("layer", current.layer, "Conv2d");
  add("seed", current.seed, 0);
  add("backward", current.backward, false);
  for (const name of CONTROLS[current.layer]) add(name, current.values[name], start[name]);
  if (current.edited) for (const name of GRIDS) if (name in current.given) words.set(name, JSON.stringify(current.given[name]));
  for (const [name, value] of Object.entries(more)) words.set(name, value);
  const text = words.toString().replaceAll("%2C", ",").replaceAll("%5B", "[").replaceAll("%5D", "]");
  return `#${view}${text ? `?${text}` : ""}`;
}

/** Takes a link's setting over; gives what else it says. What does not fit is left out: the link may be of anyone. */
export function adopt(text) {
  const words = new URLSearchParams(text);
  const layer = LAYERS.includes(words.get("layer")) ? words.get("layer") : "Conv2d";
  Object.assign(current, { backward: words.get("backward") === "true", seed: Math.min(Math.abs(Number.parseInt(words.get("seed"), 10)) || 0, 1e6), values: { ...PLAIN } });
  chooseLayer(layer);
  for (const [name, plain] of Object.entries(PLAIN)) {
    const value = words.has(name) ? parsed(words.get(name)) : plain;
    if (typeof value === typeof plain && Array.isArray(value) === Array.isArray(plain) && (!Array.isArray(value) || value.length === 2)) {
      if (words.has(name)) current.values[name] = value;
    }
  }
  for (const name of GRIDS) {
    const value = words.has(name) ? parsed(words.get(name)) : null;
    if (Array.isArray(value)) Object.assign(current, { edited: true, given: { ...current.given, [name]: value } });
  }
  return words;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
