// View 3: convolution as a matrix, and its transpose.

import { ask, latest } from "./api.js";
import { Controls, segments } from "./controls.js";
import { copyButton, el, replace, skipTo, show } from "./dom.js";
import { NumberGrid, Stack } from "./grid.js";
import { around, t } from "./texts.js";

/** M with a raised T, which not every font has as a letter. */
const superscript = (rest) => el("span", {}, "M", el("sup", {}, "T"), rest);

export function startMatrix(section) {
  const state = { seed: 0, transpose: false, given: {}, answer: null };
  const controls = new Controls(t("view.arguments"), () => refresh());
  controls
    .pair("size", { min: 1, max: 6, value: [4, 4], label: t("view.input_size") })
    .pair("kernel_size", { min: 0, max: 4, value: [3, 3] })
    .number("stride", { min: 0, max: 4, value: 1 })
    .number("padding", { min: -1, max: 4, value: 0 })
    .number("dilation", { min: 0, max: 4, value: 1 });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const edit = (name) => (_, i, j, text) => { state.given[name][i][j] = text; refresh(); };
  const stacks = {
    input: new Stack({ title: t("matrix.x"), kind: "input", label: "x", onEdit: edit("input"), onPoint: (_, i, j) => pointPixel(i, j) }),
    weight: new Stack({ title: t("bench.kernel"), kind: "weight", label: t("bench.label.kernel"), onEdit: edit("weight") }),
    output: new Stack({ title: "y = M x", kind: "output", label: "y", onPoint: (_, i, j) => pointOutput(i, j) }),
    transposed: new Stack({ title: superscript(" y"), kind: "gradient", label: t("matrix.transposed"), onPoint: (_, i, j) => pointPixel(i, j) }),
  };
  const matrix = new NumberGrid({ label: t("matrix.matrix"), onPoint: (i, j) => (state.transpose ? mark(j, i) : mark(i, j)) });
  const gram = new NumberGrid({ label: t("matrix.gram") });
  const shape = el("p", { id: "matrix-shape" });
  const line = el("code", { id: "matrix-line" });
  const explain = el("div", { class: "explain", "aria-live": "polite", id: "matrix-explain" });
  const why = el("p", { id: "matrix-why" });
  const equal = el("p", { class: "note" });
  const body = el("div", {},
    el("div", { class: "grids" }, ["input", "weight", "output", "transposed"].map((name) => stacks[name].element)),
    el("div", { class: "actions" }, segments(t("matrix.which"), [["M", t("matrix.convolution")], ["T", superscript(t("matrix.transposed_convolution"))]], "M", (which) => { state.transpose = which === "T"; showMatrix(); })),
    shape, el("div", { class: "actions" }, line, copyButton(t("matrix.copy"), () => line.textContent)),
    el("div", { class: "card dense" }, matrix.element),
    explain,
    el("h2", {}, t("matrix.no_inverse")), why, equal,
    el("h3", {}, superscript(t("matrix.identity"))), el("div", { class: "card dense" }, gram.element));
  section.append(
    skipTo(() => body.querySelector("[tabindex='0']"), t("view.skip")),
    el("div", { class: "actions" }, el("button", { type: "button", class: "quiet", onclick: () => { state.seed += 10; state.given = {}; refresh(); } }, t("view.other_numbers"))),
    el("div", { class: "workbench" }, controls.element, el("div", {}, problem, body)));

  const fail = (error) => { problem.hidden = false; replace(problem, error.message); };
  const refresh = latest(() => ask("/api/matrix", { ...controls.values, seed: state.seed, ...state.given }), receive, fail);

  function receive(answer) {
    problem.hidden = !answer.problem;
    body.classList.toggle("stale", Boolean(answer.problem));
    if (answer.problem) {
      replace(problem, el("strong", {}, t("matrix.refused", { kind: answer.problem.kind })), answer.problem.sentence);
      return;
    }
    state.answer = answer;
    if (!refresh.outdated()) state.given = { input: answer.input, weight: answer.weight };
    stacks.input.update([answer.input], { classes: (c, i, j) => (answer.unseen[i][j] ? "unseen" : "") });
    for (const name of ["weight", "output", "transposed"]) stacks[name].update([answer[name]]);
    why.textContent = answer.why;
    equal.textContent = t("matrix.equal", { line: answer.line_transposed });
    if (answer.gram) gram.update(answer.gram, { classes: (i, j) => (i === j ? "diagonal" : answer.gram[i][j] === 0 ? "zero" : "nonzero") });
    showMatrix();
    replace(explain, el("p", { class: "note" }, t("matrix.hint")));
  }

  function showMatrix() {
    const { answer } = state;
    const M = answer.matrix;
    const shown = state.transpose ? M[0].map((_, p) => M.map((row) => row[p])) : M;
    matrix.update(shown, { classes: (i, j) => (shown[i][j] === 0 ? "zero" : "nonzero") });
    shape.textContent = t(state.transpose ? "matrix.shape.T" : "matrix.shape.M", { rows: shown.length, columns: shown[0].length, zeros: answer.zeros });
    line.textContent = state.transpose ? answer.line_transposed : answer.line;
  }

  const width = () => state.answer.input[0].length;
  const outputs = () => state.answer.output[0].length;

  function clear() {
    for (const stack of Object.values(stacks)) stack.unmark();
    matrix.unmark();
  }

  /** One entry: output pixel `row`, input pixel `column`. */
  function mark(row, column) {
    clear();
    markRow(row);
    const at = state.transpose ? [column, row] : [row, column];
    matrix.mark("here", [at]);
    const value = state.answer.matrix[row][column];
    const [h, w] = [Math.floor(column / width()), column % width()];
    stacks.input.mark("here", [[0, h, w]]);
    const output = `y[${Math.floor(row / outputs())}, ${row % outputs()}]`;
    const name = el("b", {}, `M[${row}, ${column}] = ${show(value)}`);
    replace(explain, el("p", {}, around(value === 0 ? "matrix.outside" : "matrix.inside", { name, pixel: `x[${h}, ${w}]`, output })));
  }

  function markRow(row) {
    const M = state.answer.matrix;
    const used = M[row].flatMap((value, p) => (value !== 0 ? [p] : []));
    matrix.mark("mark-weight", used.map((p) => (state.transpose ? [p, row] : [row, p])));
    stacks.input.mark("mark-input", used.map((p) => [0, Math.floor(p / width()), p % width()]));
    stacks.output.mark("mark-output", [[0, Math.floor(row / outputs()), row % outputs()]]);
  }

  function pointOutput(i, j) {
    clear();
    const row = i * outputs() + j;
    markRow(row);
    const name = el("b", {}, `y[${i}, ${j}] = ${show(state.answer.output[i][j])}`);
    replace(explain, el("p", {}, around("matrix.output", { name, row })));
  }

  function pointPixel(i, j) {
    clear();
    const column = i * width() + j;
    const M = state.answer.matrix;
    const used = M.flatMap((row, o) => (row[column] !== 0 ? [o] : []));
    matrix.mark("mark-weight", used.map((o) => (state.transpose ? [column, o] : [o, column])));
    stacks.output.mark("mark-output", used.map((o) => [0, Math.floor(o / outputs()), o % outputs()]));
    stacks.input.mark("mark-input", [[0, i, j]]);
    stacks.transposed.mark("mark-gradient", [[0, i, j]]);
    const name = el("b", {}, `x[${i}, ${j}] = ${show(state.answer.input[i][j])}`);
    const back = el("b", {}, show(state.answer.transposed[i][j]));
    replace(explain, el("p", {}, around("matrix.pixel", { name, column, uses: state.answer.uses[i][j], back })));
  }

  refresh();
}
