// View "Train": loss and accuracy of the runs on common axes. Positions on paper are all that is worked out here.

import { niceTicks } from "./chart.js";
import { el, show, svg } from "./dom.js";
import { t } from "./texts.js";

const WIDTH = 460;
const HEIGHT = 230;
const BOX = { left: 46, right: 446, top: 12, bottom: 200 };

const finite = (values) => values.filter((value) => typeof value === "number");

/** series: [{ kind, x, y, dots }] */
function chart(title, told, series) {
  const xs = finite(series.flatMap((one) => one.x));
  const ys = finite(series.flatMap((one) => one.y));
  const horizontal = niceTicks(0, Math.max(...xs, 0.01));
  const vertical = ys.length ? niceTicks(Math.min(...ys), Math.max(...ys)) : [0, 1];
  const scale = (ticks, from, to) => (value) => from + ((to - from) * (value - ticks[0])) / (ticks.at(-1) - ticks[0]);
  const across = scale(horizontal, BOX.left, BOX.right);
  const up = scale(vertical, BOX.bottom, BOX.top);
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": `${title}. ${told}` });
  for (const tick of vertical) {
    drawn.append(svg("line", { x1: BOX.left, x2: BOX.right, y1: up(tick), y2: up(tick), class: "tick" }), svg("text", { x: BOX.left - 7, y: up(tick) + 4, class: "label end" }, show(tick, 3)));
  }
  for (const tick of horizontal) drawn.append(svg("text", { x: across(tick), y: HEIGHT - 10, class: "label middle" }, show(tick, 3)));
  for (const { kind, x, y, dots } of series) {
    const points = y.map((value, i) => [x[i], value]).filter(([, value]) => typeof value === "number").map(([a, b]) => [across(a).toFixed(1), up(b).toFixed(1)]);
    drawn.append(svg("polyline", { points: points.map((point) => point.join(",")).join(" "), class: `line ${kind}` }));
    if (dots) for (const [cx, cy] of points) drawn.append(svg("circle", { cx, cy, r: 3.2, class: `dot ${kind}` }));
  }
  return drawn;
}

/** Two figures that are drawn anew with each answer. */
export class Curves {
  constructor() {
    this.legend = el("p", { class: "legend" });
    this.boxes = { loss: el("div", {}), accuracy: el("div", {}) };
    const figure = (name) => el("figure", { class: "figure" }, el("figcaption", {}, t(`train.curve.${name}`)), this.boxes[name]);
    this.element = el("div", {}, this.legend, el("div", { class: "figures" }, figure("loss"), figure("accuracy")), el("p", { class: "note" }, t("train.curve.note")));
  }

  begin(count) {
    const letters = ["A", "B"].slice(0, count);
    this.legend.replaceChildren(...letters.flatMap((letter) => ["train", "val"].map((part) =>
      el("span", {}, svg("svg", { viewBox: "0 0 26 8", class: "swatch", "aria-hidden": "true" }, svg("line", { x1: 0, x2: 26, y1: 4, y2: 4, class: `line ${part} run-${letter}` })),
        t(`train.curve.${part}`, { run: count > 1 ? letter : "" }).trim()))));
  }

  draw(learners) {
    for (const [name, box] of Object.entries(this.boxes)) {
      const series = learners.flatMap((one, place) => {
        const run = `run-${"AB"[place]}`;
        return [
          { kind: `train ${run}`, x: one.curve.x, y: one.curve[name] },
          { kind: `val ${run}`, x: one.history.map((row) => row.epoch), y: one.history.map((row) => row[`val_${name}`]), dots: true },
        ];
      });
      const told = learners.map((one, place) => t("train.curve.told", { run: "AB"[place], train: show(one.curve[name].at(-1), 3), val: show(one.history.at(-1)?.[`val_${name}`], 3) || "–" })).join(" ");
      box.replaceChildren(chart(t(`train.curve.${name}`), told, series));
    }
  }
}
