// Line charts as SVG: positions on paper are all that is worked out here.

import { show, svg } from "./dom.js";
import { t } from "./texts.js";

const WIDTH = 460;
const HEIGHT = 230;
const LEFT = 46;
const BOTTOM = 30;
const TOP = 12;
const RIGHT = 14;

/** series: [{ name, kind, values }], x: the numbers below. */
export function lineChart(title, x, series) {
  const all = series.flatMap((one) => one.values).filter((value) => typeof value === "number" && Number.isFinite(value));
  const low = Math.min(...all, Infinity);
  const high = Math.max(...all, -Infinity);
  const ticks = all.length ? niceTicks(low, high) : [0, 1];
  const [bottom, top] = [ticks[0], ticks[ticks.length - 1]];
  const across = (i) => LEFT + (x.length > 1 ? ((WIDTH - LEFT - RIGHT) * i) / (x.length - 1) : (WIDTH - LEFT - RIGHT) / 2);
  const up = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * (value - bottom)) / (top - bottom);
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": t("chart.label", { title }) });
  for (const tick of ticks) {
    chart.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: up(tick), y2: up(tick), class: "tick" }), svg("text", { x: LEFT - 7, y: up(tick) + 4, class: "label end" }, show(tick, 3)));
  }
  const every = Math.ceil(x.length / 10);
  x.forEach((value, i) => {
    if (i % every === 0) chart.append(svg("text", { x: across(i), y: HEIGHT - 10, class: "label middle" }, String(value)));
  });
  for (const { kind, values } of series) {
    const points = values.map((value, i) => [value, i]).filter(([value]) => typeof value === "number").map(([value, i]) => [across(i), up(value)]);
    chart.append(svg("polyline", { points: points.map((point) => point.join(",")).join(" "), class: `line ${kind}` }));
    for (const [cx, cy] of points) chart.append(svg("circle", { cx, cy, r: 3.2, class: `dot ${kind}` }));
  }
  return chart;
}

/** Round numbers around [low, high]. */
export function niceTicks(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => span / size <= 5);
  const first = Math.floor(low / step);
  const last = Math.max(Math.ceil(high / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
