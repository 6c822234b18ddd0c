// View 2: what each input channel adds to an output channel.

import { ask, latest } from "./api.js";
import { Controls, segments } from "./controls.js";
import { count, el, replace, show, skipTo, svg } from "./dom.js";
import { Stack } from "./grid.js";
import { writtenSum } from "./sums.js";
import { around, t } from "./texts.js";

export function startChannels(section) {
  const state = { seed: 0, shown: 0, cell: [0, 0], answer: null };
  const controls = new Controls(t("view.arguments"), () => refresh());
  controls
    .number("in_channels", { min: 0, max: 6, value: 3 })
    .number("out_channels", { min: 0, max: 6, value: 3 })
    .number("groups", { min: 0, max: 6, value: 1 })
    .number("kernel_size", { min: 0, max: 3, value: 2 })
    .number("size", { min: 1, max: 7, value: 4, label: t("view.input_size") });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const body = el("div", {});
  const links = el("div", { class: "links" });
  const remark = el("p", { "aria-live": "polite" });
  const numbers = el("p", { class: "note" });
  const line = el("code", {});
  const which = el("div", { class: "actions" });
  const rows = el("div", { class: "channel-rows" });
  const explain = el("div", { class: "explain", "aria-live": "polite", id: "channels-explain" });
  body.append(el("p", {}, line), el("div", { class: "card" }, remark, links, numbers), which, rows, explain);
  section.append(
    skipTo(() => rows.querySelector("[tabindex='0']"), t("view.skip")),
    el("div", { class: "actions" }, el("button", { type: "button", class: "quiet", onclick: () => { state.seed += 10; refresh(); } }, t("view.other_numbers"))),
    el("div", { class: "workbench" }, controls.element, el("div", {}, problem, body)));

  const setting = () => ({ ...controls.values, seed: state.seed, shown: state.shown });
  const fail = (error) => { problem.hidden = false; replace(problem, error.message); };
  const refresh = latest(() => ask("/api/channels", setting()), receive, fail);
  const explainCell = latest((row, column) => ask("/api/channels/cell", { ...setting(), row, column }), told, fail);

  function receive(answer) {
    problem.hidden = !answer.problem;
    body.classList.toggle("stale", Boolean(answer.problem));
    if (answer.problem) {
      replace(problem, el("strong", {}, t("view.refused", { kind: answer.problem.kind })), answer.problem.sentence);
      return;
    }
    state.answer = answer;
    state.shown = answer.shown;
    line.textContent = answer.line;
    remark.textContent = answer.remark;
    numbers.textContent = t("channels.weights", { weights: count(answer.weights), without: count(answer.weights_without_groups), work: count(answer.multiply_adds) });
    replace(links, linkPicture(answer));
    replace(which, el("span", { class: "note" }, t("view.output_channel")), segments(t("view.output_channel"), answer.links.map((_, o) => [o, o]), state.shown, (o) => { state.shown = o; refresh(); }));
    showRows(answer);
    const [i, j] = state.cell;
    state.cell = [Math.min(i, answer.output.length - 1), Math.min(j, answer.output[0].length - 1)];
    explainCell(...state.cell);
  }

  function point(i, j) {
    state.cell = [i, j];
    if (!refresh.busy()) explainCell(i, j);
  }

  let stacks = [];
  function showRows(answer) {
    stacks = [];
    const make = (title, kind, plane, pointing) => {
      const stack = new Stack({ title, kind, label: title, onPoint: pointing ? (_, i, j) => point(i, j) : null });
      stack.update([plane]);
      return stack;
    };
    const parts = answer.sources.map((c, local) => {
      const three = [make(t("channels.input", { channel: c }), "input", answer.input[c]), make(`weight[${answer.shown}, ${local}]`, "weight", answer.kernel[local]), make(t("channels.adds", { channel: c }), "output", answer.partial[local], true)];
      stacks.push({ channel: c, input: three[0], partial: three[2] });
      return el("div", { class: "channel-row" }, three[0].element, el("span", { class: "sign", "aria-hidden": "true" }, "∗"), three[1].element, el("span", { class: "sign", "aria-hidden": "true" }, "="), three[2].element,
        el("span", { class: "sign", "aria-hidden": "true" }, local === answer.sources.length - 1 ? "" : "+"));
    });
    const unlinked = answer.links[answer.shown].flatMap((linked, c) => (linked ? [] : [c]));
    const output = make(t("channels.output", { channel: answer.shown, bias: show(answer.bias) }), "output", answer.output, true);
    stacks.push({ output });
    replace(rows, parts,
      unlinked.length ? el("p", { class: "note" }, t("channels.unlinked", { channels: unlinked.join(", ") })) : null,
      el("div", { class: "channel-row sum-row" }, el("span", { class: "sign", "aria-hidden": "true" }, "="), output.element));
  }

  function told(answer, i, j) {
    const K = answer.kernel_size;
    for (const one of stacks) {
      for (const [name, stack] of Object.entries(one)) {
        if (name === "channel") continue;
        stack.unmark();
        if (name !== "input") stack.mark("mark-output", [[0, i, j]]);
        else for (let row = 0; row < K; row++) for (let column = 0; column < K; column++) stack.mark("mark-input", [[0, i + row, j + column]]);
      }
    }
    const terms = (one) => one.products.map((product, place) => ({
      product,
      factors: [{ name: "weight", value: one.weights[place], at: null }, { name: "input", value: one.inputs[place], at: [one.channel, i + Math.floor(place / K), j + (place % K)] }],
    }));
    const parts = answer.channels.map((one) => ({ product: one.sum, factors: [{ name: t("channels.channel", { channel: one.channel }), value: one.sum, at: null }] }));
    replace(explain,
      el("p", {}, around("channels.told", { name: el("b", {}, `output[${state.shown}, ${i}, ${j}]`) })),
      answer.channels.map((one) => el("div", { class: "labelled" }, el("span", { class: "note" }, t("channels.channel", { channel: one.channel })), writtenSum(terms(one), null, one.sum))),
      el("div", { class: "labelled" }, el("span", { class: "note" }, t("channels.all")), writtenSum(parts, answer.bias, answer.total)));
  }

  refresh();
}

/** Input channels above, output channels below; a link for each kernel, dashed where groups cut it. */
function linkPicture(answer) {
  const O = answer.links.length;
  const C = answer.links[0].length;
  const width = 70 * Math.max(C, O) + 130;
  const x = (i, n) => 110 + (width - 120) * ((i + 0.5) / n);
  const picture = svg("svg", { viewBox: `0 0 ${width} 150`, class: "link-picture", role: "img", "aria-label": answer.links.map((row, o) => t("channels.sees", { output: o, inputs: row.flatMap((on, c) => (on ? [c] : [])).join(", ") })).join("; ") });
  answer.links.forEach((row, o) => row.forEach((on, c) => {
    picture.append(svg("line", { x1: x(c, C), y1: 38, x2: x(o, O), y2: 112, class: on ? (o === answer.shown ? "link shown" : "link") : "link cut" }));
  }));
  const dot = (cx, cy, text, kind) => [svg("circle", { cx, cy, r: 15, class: `node ${kind}` }), svg("text", { x: cx, y: cy + 5, class: "label middle strong" }, String(text))];
  for (let c = 0; c < C; c++) picture.append(...dot(x(c, C), 25, c, "in"));
  for (let o = 0; o < O; o++) picture.append(...dot(x(o, O), 125, o, o === answer.shown ? "out shown" : "out"));
  picture.append(svg("text", { x: 4, y: 30, class: "label" }, t("grid.input_channel")), svg("text", { x: 4, y: 130, class: "label" }, t("grid.output_channel")));
  return picture;
}
