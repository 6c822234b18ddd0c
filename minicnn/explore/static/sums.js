// Sums written out, from the terms that the server sends.

import { el, isNegative, show } from "./dom.js";
import { around, has, t } from "./texts.js";

export const inParentheses = (value, first) => (isNegative(value) && !first ? `(${show(value)})` : show(value));

/** 2·(−1) + 3·0 + ... + bias = total */
export function writtenSum(terms, bias, total, totalClass = "total") {
  const line = el("p", { class: "sum" });
  terms.forEach((term, number) => {
    if (number) line.append(el("span", { class: "op" }, " + "));
    const factors = term.factors.flatMap((factor, place) => {
      const padding = factor.name === "input" && factor.at === null;
      const title = padding ? t("sum.padding") : factor.at ? `${factor.name}[${factor.at.join(", ")}]` : has(`sum.${factor.name}`) ? t(`sum.${factor.name}`) : factor.name;
      const text = el("span", { class: `f-${factor.name}${padding ? " pad" : ""}`, title }, inParentheses(factor.value, place === 0 && number === 0));
      return place ? [el("span", { class: "op" }, "·"), text] : [text];
    });
    line.append(el("span", { class: "term", "data-product": term.product }, ...factors));
  });
  if (!terms.length) line.append(t("sum.nothing"));
  if (bias !== null && bias !== undefined) line.append(el("span", { class: "op" }, " + "), el("span", { title: t("sum.bias") }, inParentheses(bias)), el("span", { class: "op" }, ` (${t("sum.bias")})`));
  line.append(el("span", { class: "op" }, " = "), el("span", { class: totalClass, "data-value": total }, show(total, 6)));
  return line;
}

/** max of 1, 3, 2 = 3, the winner underlined. */
export function writtenMaximum(maximum) {
  const line = el("p", { class: "sum" }, el("span", { class: "op" }, t("sum.maximum")));
  maximum.candidates.forEach((one, number) => {
    if (number) line.append(el("span", { class: "op" }, ", "));
    const title = one.at ? `input[${one.at.join(", ")}]` : t("sum.padding_apart");
    line.append(el("span", { class: `f-input${one.wins ? " winner" : ""}${one.at ? "" : " pad"}`, title }, show(one.value)));
  });
  line.append(el("span", { class: "op" }, " = "), el("span", { class: "total", "data-value": maximum.total }, show(maximum.total, 6)));
  return line;
}

/** The gradient term by term, and beside it the numeric derivative. */
export function writtenGradient(gradient, name) {
  return [
    el("p", { class: "note" }, t("sum.back", { name })),
    writtenSum(gradient.terms, null, gradient.total, "grad-total"),
    el("p", { class: "compare" },
      el("span", {}, around("sum.backward", { number: el("b", { class: "backward", "data-value": gradient.total }, show(gradient.total, 8)) })),
      el("span", {}, around("sum.numeric", { number: el("b", { class: "numeric", "data-value": gradient.numeric }, show(gradient.numeric, 8)) }))),
    gradient.kink ? el("p", { class: "note" }, gradient.kink) : null,
  ];
}
