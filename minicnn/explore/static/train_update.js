// View "Train": the optimizer's step of one weight, a line for each term.

import { el, show } from "./dom.js";
import { t } from "./texts.js";

/** Small numbers with their power of ten: m and v are often below 0.0001. */
function s(value) {
  if (typeof value !== "number" || value === 0 || Math.abs(value) >= 1e-3) return show(value, 5);
  return value.toExponential(4).replaceAll("-", "−");
}

const signed = (value) => (typeof value === "number" && value < 0 ? `(${s(value)})` : s(value));

/** [name, formula, with numbers, value] */
function adam(u) {
  return [
    ["m", "β₁ m + (1 − β₁) g", `${s(u.beta1)} · ${signed(u.m_before)} + ${s(u.rest1)} · ${signed(u.grad)}`, u.m],
    ["v", "β₂ v + (1 − β₂) g²", `${s(u.beta2)} · ${signed(u.v_before)} + ${s(u.rest2)} · ${signed(u.grad)}²`, u.v],
    ["m′", "m / (1 − β₁ᵗ)", `${s(u.m)} / (1 − ${s(u.beta1)}^${u.t})`, u.m_hat],
    ["v′", "v / (1 − β₂ᵗ)", `${s(u.v)} / (1 − ${s(u.beta2)}^${u.t})`, u.v_hat],
    [t("train.term.step"), "lr · m′ / (√v′ + ε)", `${s(u.lr)} · ${signed(u.m_hat)} / (${s(u.root)} + ${s(u.eps)})`, u.step],
  ];
}

function momentum(u) {
  const sum = u.first ? ["b", "g", signed(u.grad), u.b] : ["b", "μ b + g", `${s(u.momentum)} · ${signed(u.b_before)} + ${signed(u.grad)}`, u.b];
  return [sum, [t("train.term.step"), "lr · b", `${s(u.lr)} · ${signed(u.b)}`, u.step]];
}

const sgd = (u) => [[t("train.term.step"), "lr · g", `${s(u.lr)} · ${signed(u.grad)}`, u.step]];

export function updateTerms(u) {
  const terms = { adam, momentum, sgd }[u.kind](u);
  const rows = [["g", t("train.term.gradient"), "", u.grad], ...terms, ["w", t("train.term.new"), `${s(u.before)} − ${signed(u.step)}`, u.result]];
  return el("div", {},
    el("p", {}, el("code", {}, `${u.name}[${u.place.join(", ")}]`), u.kind === "adam" ? `, t = ${u.t}` : ""),
    el("div", { class: "wide-table" }, el("table", { class: "plain terms" }, el("caption", { class: "visually-hidden" }, t("train.update")),
      el("tbody", {}, rows.map(([name, formula, numbers, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { "data-value": value }, s(value)), el("td", {}, formula, numbers ? el("span", {}, `= ${numbers}`) : null)))))),
    el("p", { class: "note" }, t("train.term.held", { after: show(u.after, 9) })));
}
