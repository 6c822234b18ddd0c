// A digit, drawn or picked: every layer's activation, softmax step by step, the gradient of a class at every layer.

import { ask, latest } from "./api.js";
import { segments } from "./controls.js";
import { el, replace, show } from "./dom.js";
import { NumberGrid } from "./grid.js";
import { bytesOf, coloured, plane, textOf, thumbnails } from "./planes.js";
import { around, t } from "./texts.js";

const SIZE = 280;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STRIDE = 10; // of the pen at each press of an arrow: one of the 28 pixels

export function startDigit(box) {
  const state = { digit: { index: 0 }, target: null, of: "logit", drawn: false, newest: null };
  const canvas = el("canvas", { width: SIZE, height: SIZE, id: "canvas", class: "drawing", tabindex: 0, role: "application", "aria-label": t("digit.area") });
  const pen = el("i", { class: "pen", hidden: true });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const seen = el("div", { class: "seen" });
  const verdict = el("p", { id: "verdict", role: "status" });
  const bars = el("div", { id: "digit-bars" });
  const softmaxBox = el("div", { class: "wide-table" });
  const layers = el("div", { class: "layers" });
  const strip = el("div", {});
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const targetBox = el("div", { class: "actions" });
  const clear = el("button", { type: "button", onclick: () => { blank(); send(); } }, t("digit.clear"));
  const ofBox = segments(t("digit.gradient_of"), [["logit", t("digit.logit")], ["loss", t("digit.loss")]], "logit", (of) => { state.of = of; refresh(); });

  const refresh = latest(() => ask("/api/run/digit", { digit: digit(), target: state.target, of: state.of }), receive, (error) => {
    problem.hidden = false;
    replace(problem, error.message);
  });

  function blank() {
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIZE, SIZE);
    state.target = null;
  }

  function send() {
    state.drawn = true;
    refresh();
  }

  /** The canvas as text; worked out only when it is asked about, not at every move of the pen. */
  function digit() {
    if (state.drawn) {
      const { data } = context.getImageData(0, 0, SIZE, SIZE);
      const grey = new Uint8Array(SIZE * SIZE);
      for (let place = 0; place < grey.length; place++) grey[place] = data[4 * place];
      state.digit = { pixels: textOf(grey) };
      state.drawn = false;
    }
    return state.digit;
  }

  let from = null;
  const at = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [((event.clientX - frame.left) * SIZE) / frame.width, ((event.clientY - frame.top) * SIZE) / frame.height];
  };
  const stroke = (to) => {
    Object.assign(context, { strokeStyle: "#fff", lineWidth: 22, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    from = to;
    send();
  };
  function lower(place) {
    if ("index" in state.digit && !state.drawn) blank();
    from = place;
    stroke(place);
  }
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    lower(at(event));
  });
  canvas.addEventListener("pointermove", (event) => { if (from && event.buttons) stroke(at(event)); });
  for (const end of ["pointerup", "pointercancel", "blur"]) canvas.addEventListener(end, () => { from = null; showPen(); });

  let place = [SIZE / 2, SIZE / 5]; // of the pen that the keys move
  canvas.addEventListener("keydown", (event) => {
    const way = ARROWS[event.key];
    if (event.key === " ") from ? (from = null) : lower(place);
    else if (way) {
      place = place.map((old, axis) => Math.min(Math.max(old + STRIDE * way[axis], 0), SIZE));
      if (from) stroke(place);
    } else return;
    event.preventDefault(); // neither scrolls the page
    showPen();
  });
  canvas.addEventListener("focus", () => showPen());
  /** Where the keys would draw: shown to those who came by keyboard. */
  function showPen() {
    pen.hidden = !canvas.matches(":focus-visible");
    pen.className = from ? "pen down" : "pen";
    [pen.style.left, pen.style.top] = place.map((share) => `${(100 * share) / SIZE}%`);
  }

  function pick(index) {
    state.digit = { index };
    state.drawn = false;
    state.target = null;
    refresh();
    box.scrollIntoView({ block: "start" });
  }

  function receive(answer) {
    problem.hidden = true;
    if ("index" in state.digit && !state.drawn) drawPicked(answer.image);
    if (images.length !== answer.image.shape[0]) makeSeen(answer.image.shape);
    const scale = Math.max(1, 140 / answer.image.shape[2]);
    paint(images, answer.image, "activation", scale);
    paint(imageGradients, answer.image_gradient, "gradient", scale);
    showVerdict(answer);
    showBars(answer);
    replace(softmaxBox, answer.steps.kind === "softmax" ? softmaxTable(answer) : sigmoidTable(answer));
    if (!state.newest) requestAnimationFrame(() => { showLayers(state.newest); state.newest = null; });
    state.newest = answer; // the verdict first; the many maps in the next frame
  }

  function drawPicked(image) {
    context.imageSmoothingEnabled = true;
    context.drawImage(coloured(bytesOf(image.bytes), image.shape), 0, 0, SIZE, SIZE);
  }

  let images = [];
  let imageGradients = [];
  /** The image and its gradient, a map for each channel: one, or red, green and blue. */
  function makeSeen([channels, height, width]) {
    images = Array.from({ length: channels }, (_, c) => mapButton(-1, c, "activation"));
    imageGradients = Array.from({ length: channels }, (_, c) => mapButton(-1, c, "gradient"));
    const buttons = (maps) => maps.map((map) => map.button);
    replace(seen,
      el("h3", {}, t("digit.sees")), buttons(images),
      el("h3", {}, t("digit.pixels")), buttons(imageGradients),
      el("p", { class: "note" }, t(channels === 3 ? "digit.raise_in_colour" : "digit.raise", { height, width })));
  }

  function showVerdict(answer) {
    const says = answer.classes[answer.predicted];
    replace(verdict, answer.blank
      ? t("digit.blank")
      : [around("digit.says", { name: el("b", { "data-value": answer.predicted, id: "predicted" }, says), share: show(100 * answer.probabilities[answer.predicted]) }), answer.label === null ? "" : answer.label === answer.predicted ? t("digit.right") : t("digit.wrong", { name: answer.classes[answer.label] })].flat());
  }

  function showBars(answer) {
    const values = answer.probabilities;
    const choose = (k) => { state.target = k; refresh(); };
    replace(bars, el("div", { class: "class-bars", role: "group", "aria-label": t("digit.classes") }, answer.classes.map((name, k) => {
      const fill = el("i", { class: k === answer.predicted ? "green" : "blue" });
      fill.style.width = `${100 * values[k]}%`;
      return el("button", { type: "button", "aria-pressed": String(k === answer.target), onclick: () => choose(k) }, el("span", {}, name), el("span", { class: "bar" }, fill), el("span", { class: "number", "data-value": values[k] }, `${(100 * values[k]).toFixed(1)} %`));
    })));
    ofBox.firstChild.textContent = t(answer.steps.kind === "softmax" ? "digit.logit" : "digit.probability");
    replace(targetBox, el("span", {}, around("digit.gradient_of_class", { name: el("b", {}, answer.classes[answer.target]) })), ofBox, state.of === "loss" ? el("span", { class: "note" }, t("digit.loss_is", { loss: show(answer.loss) })) : null);
  }

  const nameOf = (layer, channel, what) => t(`digit.${what}`, { place: layer < 0 ? t("digit.image") : t("digit.layer", { number: layer }), channel });

  /** A map as a button that opens its numbers; its canvas is drawn anew with every answer. */
  function mapButton(layer, channel, what) {
    const canvas = el("canvas", { class: "plane" });
    const button = el("button", { type: "button", class: "picture map", "aria-label": t("digit.show_numbers", { map: nameOf(layer, channel, what) }), onclick: () => openNumbers(layer, channel, what) }, canvas);
    return { button, canvas };
  }

  function paint(maps, map, what, scale) {
    const [, height, width] = map.shape;
    const bytes = bytesOf(map.bytes);
    maps.forEach(({ canvas }, channel) => plane(bytes.subarray(channel * height * width, (channel + 1) * height * width), height, width, { signed: map.low < 0 || what === "gradient", scale, canvas }));
  }

  const numbers = new NumberGrid({ label: t("digit.numbers") });
  const numbersTitle = el("h3", {});
  const dialog = el("dialog", { class: "numbers", "aria-labelledby": "numbers-title" }, numbersTitle, el("div", { class: "dense" }, numbers.element), el("button", { type: "button", onclick: () => dialog.close() }, t("digit.close")));
  numbersTitle.id = "numbers-title";
  async function openNumbers(layer, channel, what) {
    const answer = await ask("/api/run/plane", { digit: state.digit, target: state.target, of: state.of, layer, channel, what });
    numbersTitle.textContent = nameOf(layer, channel, what);
    numbers.update(answer.values, { classes: (i, j) => (answer.values[i][j] === 0 ? "zero" : "") });
    if (!dialog.open) dialog.showModal();
  }

  let rows = [];
  function showLayers(answer) {
    if (rows.length !== answer.layers.length) {
      rows = answer.layers.map((one, number) => makeLayer(one, number));
      replace(layers, rows.map((row) => row.element));
    }
    answer.layers.forEach((one, number) => {
      const [channels, , width] = one.activation.shape;
      const scale = channels === 1 ? (width <= 16 ? 10 : 4) : Math.max(2, 42 / width);
      for (const what of ["activation", "gradient"]) {
        paint(rows[number][what], one[what], what, scale);
        rows[number][`${what}Range`].textContent = t(`digit.${what}_range`, { low: show(one[what].low, 3), high: show(one[what].high, 3) });
      }
    });
  }

  function makeLayer(one, number) {
    const [channels, height, width] = one.activation.shape;
    const row = {};
    const part = (what) => {
      row[what] = Array.from({ length: channels }, (_, c) => mapButton(number, c, what));
      row[`${what}Range`] = el("p", { class: "note" });
      return el("div", {}, row[`${what}Range`], el("div", { class: "maps" }, row[what].map((map) => map.button)));
    };
    const shape = one.shape.join(" × ");
    row.element = el("div", { class: "layer card" },
      el("h3", {}, el("code", {}, one.name), " ", el("code", { class: "note" }, one.layer)),
      el("p", { class: "note" }, one.shape.length === 1 && one.shape[0] > 16 ? t("digit.drawn_as", { shape, height, width }) : shape),
      el("div", { class: "two" }, part("activation"), part("gradient")));
    return row;
  }

  async function showStrip(start) {
    const answer = await ask("/api/run/images", { start });
    const move = (to, text) => el("button", { type: "button", class: "quiet", disabled: to < 0 || to >= answer.total, onclick: () => showStrip(to) }, text);
    replace(strip, thumbnails(answer.images, pick), el("div", { class: "actions" }, move(start - 40, t("image.back")), move(start + 40, t("image.more")), el("span", { class: "note" }, t("image.range", { first: start, last: start + answer.images.length - 1, total: answer.total }))));
  }

  blank();
  box.append(problem,
    el("div", { class: "digit" },
      el("div", {}, el("div", { class: "paper" }, canvas, pen), el("div", { class: "actions" }, clear, el("span", { class: "note" }, t("digit.draw")))),
      seen,
      el("div", {}, verdict, bars)),
    el("details", {}, el("summary", {}, t("digit.pick")), strip),
    el("h3", {}, t("digit.softmax")), softmaxBox,
    el("h3", {}, t("digit.layers")), targetBox,
    el("p", { class: "note" }, t("digit.colours")),
    layers, dialog);
  showStrip(0);
  refresh();
  return { pick };
}

function softmaxTable({ steps, classes, predicted }) {
  const columns = [[t("digit.logit_z"), steps.logits], [`z − ${show(steps.largest)}`, steps.shifted], ["exp", steps.exp], [`÷ ${show(steps.sum, 5)}`, steps.probabilities]];
  const table = el("table", { class: "plain", id: "softmax-table" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("digit.class")), columns.map(([name]) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, classes.map((name, k) => el("tr", { class: k === predicted ? "chosen" : "" }, el("th", { scope: "row" }, name), columns.map(([, values]) => el("td", { "data-value": values[k] }, show(values[k], 3)))))));
  return el("div", { class: "beside" }, table, el("div", {},
    el("p", {}, t("digit.shift", { largest: show(steps.largest) })),
    el("p", {}, t("digit.divide", { sum: show(steps.sum, 6) }))));
}

function sigmoidTable({ steps }) {
  const [z, power, sum, p] = [steps.logits, steps.exp, steps.sum, steps.probabilities].map((values) => values[0]);
  return el("div", { class: "formula" }, t("digit.sigmoid", { z: show(z), steps: `1 / (1 + ${show(power)}) = 1 / ${show(sum, 5)} = ${show(p)}` }));
}
