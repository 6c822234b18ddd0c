// A digit, drawn or picked: every layer's activation, softmax step by step, the gradient of a class at every layer.

import { ask, latest } from "./api.js";
import { segments } from "./controls.js";
import { el, replace, show } from "./dom.js";
import { NumberGrid } from "./grid.js";
import { bytesOf, coloured, plane, textOf, thumbnails } from "./planes.js";

const SIZE = 280;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STRIDE = 10; // of the pen at each press of an arrow: one of the 28 pixels

export function startDigit(box) {
  const state = { digit: { index: 0 }, target: null, of: "logit", drawn: false, newest: null };
  const canvas = el("canvas", { width: SIZE, height: SIZE, id: "canvas", class: "drawing", tabindex: 0, role: "application", "aria-label": "Drawing area: draw a digit with the mouse, a finger or the arrow keys; Space lowers and lifts the pen. Or pick a test image below." });
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
  const clear = el("button", { type: "button", onclick: () => { blank(); send(); } }, "Clear");
  const ofBox = segments("Gradient of", [["logit", "its logit"], ["loss", "the loss, if it were the truth"]], "logit", (of) => { state.of = of; refresh(); });

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
      el("h3", {}, "What the network sees"), buttons(images),
      el("h3", {}, "Gradient at the pixels"), buttons(imageGradients),
      el("p", { class: "note" }, `${height} × ${width}${channels === 3 ? " in red, green and blue" : ""}; blue pixels raise it`));
  }

  function showVerdict(answer) {
    const says = answer.classes[answer.predicted];
    replace(verdict, answer.blank
      ? "Draw a digit. Even for the blank image the network names a class: it knows no “none”."
      : [el("b", { "data-value": answer.predicted, id: "predicted" }, says), ` with ${show(100 * answer.probabilities[answer.predicted])} %`, answer.label === null ? "" : answer.label === answer.predicted ? " (right)" : ` (wrong: it is ${answer.classes[answer.label]})`]);
  }

  function showBars(answer) {
    const values = answer.probabilities;
    const choose = (k) => { state.target = k; refresh(); };
    replace(bars, el("div", { class: "class-bars", role: "group", "aria-label": "Classes; choose one to see its gradient" }, answer.classes.map((name, k) => {
      const fill = el("i", { class: k === answer.predicted ? "green" : "blue" });
      fill.style.width = `${100 * values[k]}%`;
      return el("button", { type: "button", "aria-pressed": String(k === answer.target), onclick: () => choose(k) }, el("span", {}, name), el("span", { class: "bar" }, fill), el("span", { class: "number", "data-value": values[k] }, `${(100 * values[k]).toFixed(1)} %`));
    })));
    ofBox.firstChild.textContent = answer.steps.kind === "softmax" ? "its logit" : "its probability";
    replace(targetBox, el("span", {}, "Gradient of ", el("b", {}, answer.classes[answer.target]), ":"), ofBox, state.of === "loss" ? el("span", { class: "note" }, `loss ${show(answer.loss)}`) : null);
  }

  /** A map as a button that opens its numbers; its canvas is drawn anew with every answer. */
  function mapButton(layer, channel, what) {
    const name = `${what} of ${layer < 0 ? "the image" : `layer ${layer}`}, channel ${channel}`;
    const canvas = el("canvas", { class: "plane" });
    const button = el("button", { type: "button", class: "picture map", "aria-label": `${name}: show its numbers`, onclick: () => openNumbers(layer, channel, what) }, canvas);
    return { button, canvas };
  }

  function paint(maps, map, what, scale) {
    const [, height, width] = map.shape;
    const bytes = bytesOf(map.bytes);
    maps.forEach(({ canvas }, channel) => plane(bytes.subarray(channel * height * width, (channel + 1) * height * width), height, width, { signed: map.low < 0 || what === "gradient", scale, canvas }));
  }

  const numbers = new NumberGrid({ label: "numbers" });
  const numbersTitle = el("h3", {});
  const dialog = el("dialog", { class: "numbers", "aria-labelledby": "numbers-title" }, numbersTitle, el("div", { class: "dense" }, numbers.element), el("button", { type: "button", onclick: () => dialog.close() }, "Close"));
  numbersTitle.id = "numbers-title";
  async function openNumbers(layer, channel, what) {
    const answer = await ask("/api/run/plane", { digit: state.digit, target: state.target, of: state.of, layer, channel, what });
    numbersTitle.textContent = `${what} of ${layer < 0 ? "the image" : `layer ${layer}`}, channel ${channel}`;
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
        rows[number][`${what}Range`].textContent = what === "gradient" ? `gradient, ±${show(one.gradient.high, 3)}` : `activation, ${show(one.activation.low, 3)} to ${show(one.activation.high, 3)}`;
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
    const drawn = one.shape.length === 1 && one.shape[0] > 16 ? `, drawn as ${height} × ${width}` : "";
    row.element = el("div", { class: "layer card" },
      el("h3", {}, el("code", {}, one.name), " ", el("code", { class: "note" }, one.layer)),
      el("p", { class: "note" }, `${one.shape.join(" × ")}${drawn}`),
      el("div", { class: "two" }, part("activation"), part("gradient")));
    return row;
  }

  async function showStrip(start) {
    const answer = await ask("/api/run/images", { start });
    const move = (to, text) => el("button", { type: "button", class: "quiet", disabled: to < 0 || to >= answer.total, onclick: () => showStrip(to) }, text);
    replace(strip, thumbnails(answer.images, pick), el("div", { class: "actions" }, move(start - 40, "Back"), move(start + 40, "More"), el("span", { class: "note" }, `test images ${start} to ${start + answer.images.length - 1} of ${answer.total}`)));
  }

  blank();
  box.append(problem,
    el("div", { class: "digit" },
      el("div", {}, el("div", { class: "paper" }, canvas, pen), el("div", { class: "actions" }, clear, el("span", { class: "note" }, "Draw with mouse, finger, or arrow keys; Space lowers and lifts the pen."))),
      seen,
      el("div", {}, verdict, bars)),
    el("details", {}, el("summary", {}, "Or pick one of the test images"), strip),
    el("h3", {}, "From logit to probability, step by step"), softmaxBox,
    el("h3", {}, "Every layer: what comes out, and the gradient that flows back to it"), targetBox,
    el("p", { class: "note" }, "Dark is large; where numbers have signs, blue is positive and orange negative. A map opens its numbers."),
    layers, dialog);
  showStrip(0);
  refresh();
  return { pick };
}

function softmaxTable({ steps, classes, predicted }) {
  const columns = [["logit z", steps.logits], [`z − ${show(steps.largest)}`, steps.shifted], ["exp", steps.exp], [`÷ ${show(steps.sum, 5)}`, steps.probabilities]];
  const table = el("table", { class: "plain", id: "softmax-table" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "class"), columns.map(([name]) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, classes.map((name, k) => el("tr", { class: k === predicted ? "chosen" : "" }, el("th", { scope: "row" }, name), columns.map(([, values]) => el("td", { "data-value": values[k] }, show(values[k], 3)))))));
  return el("div", { class: "beside" }, table, el("div", {},
    el("p", {}, `The network's last layer gives a logit for each class. The largest, ${show(steps.largest)}, is subtracted from all: the result is the same, but exp cannot overflow.`),
    el("p", {}, `exp makes every number positive. Divided by their sum, ${show(steps.sum, 6)}, they add up to 1: the probabilities.`)));
}

function sigmoidTable({ steps }) {
  const [z, power, sum, p] = [steps.logits, steps.exp, steps.sum, steps.probabilities].map((values) => values[0]);
  return el("div", { class: "formula" }, `1 / (1 + exp(−z)) with z = ${show(z)}: 1 / (1 + ${show(power)}) = 1 / ${show(sum, 5)} = ${show(p)}, the probability of odd`);
}
