// Small helpers: making elements, writing numbers.

import { t } from "./texts.js";

/** el("p", { class: "note", onclick: f }, "text", child): an element. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat());
  return element;
}

const NAMES = { NaN: "NaN", Infinity: "∞", "-Infinity": "−∞" };

/** A number as the server sends it (what is not finite comes as its name), as short text. */
export function show(value, digits = 4) {
  if (typeof value === "string") return NAMES[value] ?? value;
  if (value === null || value === undefined) return "";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return minus(Object.is(value, -0) ? "-0" : String(value));
  let text = value.toPrecision(digits);
  text = text.includes("e") ? text.replace(/\.?0+e/, "e") : text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  return minus(text);
}

const minus = (text) => text.replaceAll("-", "−");

/** With thousands separated: 215,370 in English. */
export const count = (value) => value.toLocaleString("en").replaceAll(",", t("number.thousand")[1]);

export const isNegative = (value) => value === "-Infinity" || (typeof value === "number" && (value < 0 || Object.is(value, -0)));

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

/** A link that only the keyboard meets: it skips what stands between it and the element that `find()` gives. */
export function skipTo(find, text) {
  return el("button", { type: "button", class: "skip", onclick: () => find()?.focus() }, text);
}

/** A button that copies a text and says so. */
export function copyButton(label, text) {
  const button = el("button", { type: "button", class: "quiet" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = t("copy.copied");
    } catch {
      button.textContent = t("copy.by_hand");
    }
    setTimeout(() => (button.textContent = label), 1600);
  });
  return button;
}
