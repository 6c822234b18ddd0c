// View 1: one layer, every argument, forward and backward.

import { ask, latest } from "./api.js";
import { press, segments } from "./controls.js";
import { copyButton, el, replace, show, skipTo } from "./dom.js";
import { Stack } from "./grid.js";
import { argumentControls, chooseLayer, current, follow, GRIDS, LAYERS, link, otherNumbers, question } from "./setting.js";
import { inParentheses, writtenGradient, writtenMaximum, writtenSum } from "./sums.js";
import { around, t } from "./texts.js";

export function startBench(section) {
  const state = Object.assign(current, { shown: 0, answer: null, pointed: null });
  const page = layout(section, state);
  const controls = page.controls;

  const refresh = latest(() => ask("/api/bench", question()), receive, fail);
  const explain = latest((grid, cell) => ask("/api/bench/cell", { ...question(), grid, cell }), explained, fail);

  function fail(error) {
    page.problem.hidden = false;
    replace(page.problem, el("strong", {}, t("view.not_answered")), error.message);
  }

  function receive(answer) {
    state.answer = answer;
    page.problem.hidden = !answer.problem;
    if (answer.problem) replace(page.problem, el("strong", {}, t("view.refused", { kind: answer.problem.kind })), answer.problem.sentence);
    page.line.textContent = answer.line;
    showFormula(page.sizes, answer.formula);
    page.stacks.input.update(answer.input, { classes: answer.unseen && ((c, i, j) => (answer.unseen.input[i][j] ? "unseen" : "")) });
    for (const name of ["framed", "weight", "output", "indices", "grad_output", "grad_input", "grad_weight"]) {
      page.stacks[name].element.classList.toggle("stale", Boolean(answer.problem));
    }
    if (answer.problem) {
      say(page, t("bench.stale"));
      return;
    }
    if (!refresh.outdated()) for (const name of GRIDS) if (name in answer) state.given[name] = answer[name];
    state.shown = Math.min(state.shown, answer.output.length - 1);
    showGrids(page, state, answer);
    page.program.textContent = answer.program;
    if (!state.pointed || !repoint()) hint();
  }

  function hint() {
    const key = state.backward ? "bench.hint.backward" : state.layer === "MaxPool2d" ? "bench.hint.maximum" : "bench.hint.sum";
    say(page, t(key));
  }

  /** After a change the explanation follows, if the number still exists. */
  function repoint() {
    const { grid, cell } = state.pointed;
    let level = state.answer[grid];
    for (const index of cell) level = level?.[index];
    if (level === undefined) {
      state.pointed = null;
      return false;
    }
    explain(grid, cell);
    return true;
  }

  function point(grid, cell) {
    if (state.answer?.problem) return;
    if (state.pointed && state.pointed.grid === grid && String(state.pointed.cell) === String(cell) && page.explain.dataset.cell === `${grid}${cell}`) return;
    state.pointed = { grid, cell };
    if (!refresh.busy()) explain(grid, cell); // else once the answer is there, if the number still is
  }

  function explained(told, grid, cell) {
    if (state.pointed?.grid !== grid || String(state.pointed.cell) !== String(cell)) return;
    showMarks(page, state, told);
    page.explain.dataset.cell = `${grid}${cell}`;
    page.explain.classList.toggle("gradient", state.backward && grid !== "output");
    replace(page.explain, told_in_words(told, state), sourceLink(grid, state));
  }

  page.connect({
    refresh,
    point: (grid, c, i, j) => point(grid, cellOf(grid, c, i, j, state)),
    edit(name, c, i, j, text) {
      const grid = state.given[name] ?? state.answer[name];
      if (name === "bias") grid[j] = text;
      else if (name === "weight") weightPlane(grid, c, state)[i][j] = text;
      else grid[c][i][j] = text;
      state.given[name] = grid;
      state.edited = true;
      remember();
      refresh();
    },
    change(name) {
      if (name === "layer") {
        state.pointed = null;
        state.shown = 0;
        follow(controls);
      }
      remember();
      refresh();
    },
  });
  section.addEventListener("show", () => {
    follow(controls);
    page.follow();
    refresh();
  });
}

/** The address says what is shown, so that it can be kept and passed on. */
const remember = () => history.replaceState(null, "", link("bench"));

// For one shown output channel o the kernel grids are weight[o, :], for a transposed convolution weight[:, o in its group].
function weightPlane(weight, place, state) {
  return state.layer === "ConvTranspose2d" ? weight[place][state.local] : weight[state.shown][place];
}

function cellOf(grid, c, i, j, state) {
  if (grid !== "weight") return [c, i, j];
  return state.layer === "ConvTranspose2d" ? [c, state.local, i, j] : [state.shown, c, i, j];
}

function layout(section, state) {
  const page = { handlers: null, connect: (handlers) => (page.handlers = handlers) };
  page.controls = argumentControls(t("view.arguments"), (name) => page.handlers.change(name));
  const backward = el("input", { type: "checkbox", id: "backward", onchange: () => { state.backward = backward.checked; state.pointed = null; page.explain.dataset.cell = ""; page.handlers.change("backward"); } });
  const layers = segments(t("bench.layer"), LAYERS.map((name) => [name, name]), state.layer, (name) => {
    chooseLayer(name);
    page.handlers.change("layer");
  });
  const fresh = el("button", { type: "button", class: "quiet", onclick: () => { otherNumbers(); page.handlers.change("seed"); } }, t("view.other_numbers"));
  page.follow = () => {
    press(layers, state.layer);
    backward.checked = state.backward;
  };

  const point = (grid) => (c, i, j) => page.handlers.point(grid, c, i, j);
  const edit = (name) => (c, i, j, text) => page.handlers.edit(name, c, i, j, text);
  page.stacks = {
    input: new Stack({ title: t("bench.input"), kind: "input", label: t("bench.label.input"), onEdit: edit("input"), onPoint: point("input") }),
    framed: new Stack({ title: t("bench.padded"), kind: "input", label: t("bench.label.padded") }),
    weight: new Stack({ title: t("bench.kernel"), kind: "weight", label: t("bench.label.kernel"), onEdit: edit("weight"), onPoint: point("weight"), channelName: t("grid.input_channel") }),
    bias: new Stack({ title: t("bench.bias"), kind: "weight", label: t("bench.label.bias"), onEdit: edit("bias") }),
    output: new Stack({ title: t("bench.output"), kind: "output", label: t("bench.label.output"), onPoint: point("output") }),
    indices: new Stack({ title: t("bench.indices"), kind: "output", label: t("bench.label.indices"), note: t("bench.indices_note"), onPoint: point("output") }),
    grad_output: new Stack({ title: "grad_output", kind: "gradient", label: "grad_output", onEdit: edit("grad_output"), onPoint: point("output") }),
    grad_input: new Stack({ title: "grad_input", kind: "gradient", label: "grad_input", onPoint: point("input") }),
    grad_weight: new Stack({ title: "grad_weight", kind: "gradient", label: "grad_weight", onPoint: point("weight"), channelName: t("grid.input_channel") }),
    grad_bias: new Stack({ title: "grad_bias", kind: "gradient", label: "grad_bias" }),
  };
  page.problem = el("p", { class: "problem", role: "alert", hidden: true });
  page.which = el("div", { class: "actions" });
  page.line = el("code", { id: "bench-line" });
  page.program = el("pre", { id: "bench-program", tabindex: 0 });
  page.sizes = el("div", { class: "sizes" });
  page.explain = el("div", { class: "explain", "aria-live": "polite", id: "bench-explain" });
  page.backwardRow = el("div", {}, el("h2", {}, t("bench.backward_title")),
    el("p", { class: "note" }, t("bench.loss")),
    el("div", { class: "grids" }, ["grad_output", "grad_input", "grad_weight", "grad_bias"].map((name) => page.stacks[name].element)));
  section.append(
    skipTo(() => section.querySelector(".stack [tabindex='0']"), t("view.skip")),
    el("div", { class: "actions" }, layers, el("label", {}, backward, t("bench.backward")), fresh),
    el("div", { class: "workbench" }, page.controls.element, el("div", {},
      page.problem,
      legend(),
      page.which,
      el("div", { class: "grids" }, ["input", "framed"].map((name) => page.stacks[name].element), el("div", { class: "column" }, page.stacks.weight.element, page.stacks.bias.element), ["output", "indices"].map((name) => page.stacks[name].element)),
      page.backwardRow,
      page.explain,
      el("h2", {}, t("bench.size")), page.sizes,
      el("h2", {}, t("bench.python")),
      el("p", {}, page.line),
      el("div", { class: "actions" }, copyButton(t("bench.copy_line"), () => page.line.textContent), copyButton(t("bench.copy_program"), () => page.program.textContent)),
      page.program)));
  return page;
}

function legend() {
  const kinds = { input: "input", weight: "kernel", output: "output", gradient: "gradient", frame: "padding", unseen: "unseen" };
  return el("p", { class: "legend" }, Object.entries(kinds).map(([kind, name]) => el("span", {}, el("i", { class: `k-${kind}` }), t(`bench.label.${name}`))));
}

function showGrids(page, state, answer) {
  const { stacks } = page;
  const transposed = state.layer === "ConvTranspose2d";
  const pooling = state.layer === "MaxPool2d";
  const [left, , top] = answer.frame;
  const O = answer.output.length;
  const shown = state.shown;
  replace(page.which, O > 1 && !pooling ? [el("span", { class: "note" }, t("view.output_channel")), segments(t("view.output_channel"), answer.output.map((_, o) => [o, o]), shown, (o) => {
    state.shown = o;
    showGrids(page, state, answer);
    page.explain.dataset.cell = "";
  })] : []);
  const C = answer.input.length;
  const G = page.controls.values.groups;
  const block = pooling ? [0] : Array.from({ length: C / G }, (_, c) => c + Math.floor(shown / (O / G)) * (C / G));
  state.local = transposed ? shown % (O / G) : shown;

  stacks.framed.title.textContent = t(transposed ? "bench.before_cropping" : "bench.padded");
  stacks.framed.element.className = `stack ${transposed ? "output" : "input"}`;
  stacks.framed.note.textContent = transposed ? t("bench.crops") : pooling ? t("bench.padding_is") : "";
  stacks.framed.channelName = t(transposed ? "grid.output_channel" : "grid.channel");
  const padded = answer.framed.length && (answer.frame.some(Boolean) || transposed);
  stacks.framed.element.hidden = !padded;
  const height = transposed ? answer.output[0].length : answer.input[0].length;
  const width = transposed ? answer.output[0][0].length : answer.input[0][0].length;
  const inside = (i, j) => i >= top && i < top + height && j >= left && j < left + width;
  stacks.framed.update(transposed ? [answer.framed[shown]] : answer.framed, {
    channels: transposed ? [shown] : undefined,
    first: [-top, -left],
    classes: (c, i, j) => (answer.unseen.framed[i][j] ? "unseen" : inside(i, j) ? "" : "frame"),
  });
  const hasWeight = "weight" in answer;
  stacks.weight.element.hidden = !hasWeight;
  if (hasWeight) {
    const of = (weight) => (transposed ? block.map((c) => weight[c][state.local]) : weight[shown]);
    // A kernel's place in the weight is its number inside the group; its caption names the input channel.
    const channels = transposed ? block : block.map((_, place) => place);
    stacks.weight.update(of(answer.weight), { channels, names: block });
    if (state.backward) stacks.grad_weight.update(of(answer.grad_weight), { channels, names: block });
  }
  stacks.bias.element.hidden = !("bias" in answer);
  if ("bias" in answer) stacks.bias.update([[answer.bias]]);
  stacks.output.channelName = t("grid.channel");
  stacks.output.update([answer.output[shown]], { channels: [shown] });
  stacks.indices.element.hidden = !("indices" in answer);
  if ("indices" in answer) stacks.indices.update([answer.indices[shown]], { channels: [shown] });
  stacks.input.note.textContent = answer.unseen_count ? t(transposed ? "bench.greyed_stamps" : "bench.greyed", { count: answer.unseen_count }) : "";
  stacks.input.note.hidden = !answer.unseen_count;
  page.backwardRow.hidden = !state.backward;
  if (state.backward) {
    stacks.grad_output.update([answer.grad_output[shown]], { channels: [shown] });
    stacks.grad_input.update(answer.grad_input);
    stacks.grad_weight.element.hidden = !hasWeight;
    stacks.grad_bias.element.hidden = !("grad_bias" in answer);
    if ("grad_bias" in answer) stacks.grad_bias.update([[answer.grad_bias]]);
  }
}

function showMarks(page, state, told) {
  const { stacks } = page;
  for (const stack of Object.values(stacks)) stack.unmark();
  const transposed = state.layer === "ConvTranspose2d";
  const weights = (told.marks.weight ?? []).filter(([a, b]) => (transposed ? b === state.local : a === state.shown)).map(([a, b, i, j]) => [transposed ? a : b, i, j]);
  const outputs = told.marks.output ?? [];
  stacks.input.mark("mark-input", told.marks.input ?? []);
  stacks.framed.mark(transposed ? "mark-output" : "mark-input", told.marks.framed ?? []);
  stacks.weight.mark("mark-weight", weights);
  stacks.output.mark("mark-output", outputs);
  stacks.indices.mark("mark-output", outputs);
  stacks.input.mark("mark-winner", told.marks.winner ?? []);
  stacks.output.mark("mark-winner", told.marks.winner_output ?? []);
  if (state.backward) stacks.grad_output.mark("mark-gradient", outputs);
  const [a, b, ...rest] = told.cell;
  const here = told.grid === "weight" ? [[transposed ? a : b, ...rest]] : [told.cell];
  const [name, gradient] = { input: ["input", "grad_input"], weight: ["weight", "grad_weight"], output: ["output", "grad_output"] }[told.grid];
  stacks[name].mark(`mark-${name}`, here);
  stacks[name].mark("here", here);
  if (state.backward) {
    stacks[gradient].mark("mark-gradient", here);
    stacks[gradient].mark("here", here);
  }
  stacks.framed.scroll(told.marks.framed ?? []);
}

function say(page, text) {
  for (const stack of Object.values(page.stacks)) if (stack.grids.length) stack.unmark();
  page.explain.dataset.cell = "";
  replace(page.explain, el("p", { class: "note" }, text));
}

const FUNCTIONS = {
  Conv2d: { output: "conv2d", input: "conv2d_grad_input", weight: "conv2d_grad_weight" },
  MaxPool2d: { output: "max_pool2d", input: "max_pool2d_grad" },
  ConvTranspose2d: { output: "ConvTranspose2d.forward", input: "ConvTranspose2d.backward", weight: "ConvTranspose2d.backward" },
};

/** From the number to the source that computes it: the last step of its function, where it is given back. */
function sourceLink(grid, state) {
  if (grid !== "output" && !state.backward) return null;
  const name = FUNCTIONS[state.layer][grid];
  return el("p", { class: "note" }, el("a", { href: link("source", { function: name, step: 9999 }) }, t("bench.lines", { name })));
}

function told_in_words(told, state) {
  const name = el("b", {}, told.title);
  if (told.sum) return [el("p", {}, around(told.sum.terms.length > 1 ? "bench.sum.many" : "bench.sum.one", { name, count: told.sum.terms.length })), writtenSum(told.sum.terms, told.sum.bias, told.sum.total)];
  if (told.maximum) {
    const ties = told.maximum.ties > 1 ? ` ${t("bench.ties", { count: told.maximum.ties })}` : "";
    return [el("p", {}, around("bench.winner", { name, place: told.maximum.winner.join(", ") }), ties), writtenMaximum(told.maximum)];
  }
  const feeds = around(told.feeds === 1 ? "bench.feeds.one" : "bench.feeds.many", { name, value: show(told.value, 6), count: told.feeds });
  if (state.answer.output.length > 1) feeds.push(t("bench.in_channels", { channels: [...new Set(told.marks.output.map(([o]) => o))].join(", ") }));
  if (told.cropped) feeds.push(t("bench.cropped", { count: told.cropped }));
  if ("won" in told) feeds.push(t("bench.won", { count: told.won }));
  const parts = [el("p", {}, feeds, state.backward ? "." : t("bench.switch_on"))];
  if (told.stamps && !state.backward) {
    const line = el("p", { class: "sum" }, el("span", { class: "op" }, t("bench.stamps")));
    told.stamps.forEach((stamp, number) => line.append(
      number ? el("span", { class: "op" }, ", ") : "",
      el("span", { class: "term" }, el("span", { class: "f-input" }, show(stamp.factors[0].value)), "·", el("span", { class: "f-weight" }, inParentheses(stamp.factors[1].value)), ` → [${stamp.at.join(", ")}]`)));
    parts.push(line);
  }
  if (told.gradient) parts.push(...writtenGradient(told.gradient, told.title));
  return parts;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

function showFormula(box, axes) {
  replace(box, axes.map((axis) => el("div", { class: "card" },
    el("h3", {}, capital(t(`axis.${axis.axis}`))),
    el("div", { class: "formula", tabindex: 0 }, axis.symbols,
      axis.steps.map((step, number) => el("div", { class: number === axis.steps.length - 1 ? "result" : "" }, `${"\u00a0".repeat(axis.symbols.indexOf("="))}= ${step}`))),
    axis.remark ? el("p", { class: "note" }, axis.remark) : null)));
}
