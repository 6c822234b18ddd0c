// View 5: bars of parameters and multiply-adds, and the time of each layer on this machine.

import { ask } from "./api.js";
import { count, el, replace, show } from "./dom.js";

const percent = (share) => `${(100 * share).toFixed(1)} %`;

export async function startCosts(section) {
  const box = el("div", {});
  section.append(box);
  let about;
  try {
    about = await ask("/api/costs");
  } catch (error) {
    replace(box, el("p", { class: "problem", role: "alert" }, error.message));
    return;
  }
  const table = el("table", { class: "bars", id: "costs-table" },
    el("caption", {}, `${about.network}, for one image: ${count(about.total.parameters)} parameters, ${count(about.total.multiply_adds)} multiply-adds, ${count(about.total.kept_bytes)} bytes kept`),
    el("thead", {}, el("tr", {}, ["Layer", "Output", "Parameters", "Multiply-adds", "Bytes kept for backward", "Sees"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, about.layers.map((row) => el("tr", {},
      layerName(row.name, row.layer),
      el("td", { class: "shape" }, row.output_shape.join(" × ")),
      bar("parameters", row.share_parameters, `${count(row.parameters)}`, percent(row.share_parameters), "violet", row.parameters),
      bar("multiply-adds", row.share_multiply_adds, `${count(row.multiply_adds)}`, percent(row.share_multiply_adds), "blue", row.multiply_adds),
      bar("kept bytes", row.share_kept_bytes, `${count(row.kept_bytes)}`, percent(row.share_kept_bytes), "green", row.kept_bytes),
      el("td", { class: "sees", "data-column": "sees " }, row.receptive_field ? row.receptive_field.join(" × ") : "")))));
  replace(box, el("div", { class: "wide-table" }, table), largest(about), timing(about));
}

function layerName(name, layer) {
  return el("th", { scope: "row" }, el("code", {}, name), el("span", { class: "note" }, ` ${layer}`));
}

function bar(column, share, text, extra, colour, value) {
  const fill = el("i", { class: colour });
  fill.style.width = `${100 * share}%`;
  return el("td", { "data-value": value, "data-column": column }, el("div", { class: "bar" }, fill), el("span", { class: "number" }, text), extra ? el("span", { class: "note" }, ` ${extra}`) : null);
}

function largest(about) {
  const most = (field) => about.layers.reduce((a, b) => (b[field] > a[field] ? b : a));
  const [parameters, work] = [most("parameters"), most("multiply_adds")];
  return el("p", {}, `${percent(parameters.share_parameters)} of the parameters are in ${parameters.name}, ${percent(work.share_multiply_adds)} of the multiply-adds in ${work.name}.`);
}

function timing(about) {
  const batch = el("input", { type: "number", min: 1, max: 256, value: 64, id: "batch" });
  const backend = el("select", { id: "backend" }, about.backends.map((name) => el("option", { value: name }, name)));
  const threads = el("input", { type: "number", min: 1, max: about.cores, value: about.cores, id: "threads" });
  const message = el("p", { class: "note", role: "status" }, "The median of several rounds; the first round, in which Numba may have to compile, does not count.");
  const result = el("div", { class: "wide-table" });
  const button = el("button", { type: "button", class: "strong", id: "measure" }, "Measure on this machine");
  button.addEventListener("click", async () => {
    button.disabled = true;
    message.textContent = backend.value === "numba" ? "Measuring. If the kernels were never compiled here, that takes some 15 seconds first." : "Measuring.";
    try {
      const answer = await ask("/api/costs/time", { batch: Number(batch.value), backend: backend.value, threads: Number(threads.value) });
      replace(result, timeTable(answer));
      message.textContent = `Medians of ${answer.rounds} rounds.`;
    } catch (error) {
      message.textContent = error.message;
    }
    button.disabled = false;
  });
  return el("div", {}, el("h2", {}, "How long each layer takes here"),
    el("div", { class: "actions" }, el("label", { for: "batch" }, "images"), batch, el("label", { for: "backend" }, "backend"), backend, el("label", { for: "threads" }, "threads"), threads, button),
    message, result);
}

function timeTable(answer) {
  const longest = Math.max(...answer.layers.flatMap((row) => [row.forward, row.backward]));
  const milliseconds = (seconds) => `${show(1000 * seconds, 3)} ms`;
  const { forward, backward } = answer.total;
  return el("table", { class: "bars", id: "time-table" },
    el("caption", {}, `${answer.batch} images, backend ${answer.backend}, ${answer.threads} thread${answer.threads > 1 ? "s" : ""}: forward ${milliseconds(forward)}, backward ${milliseconds(backward)}`),
    el("thead", {}, el("tr", {}, ["Layer", "Forward", "Backward"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, answer.layers.map((row) => el("tr", {},
      el("th", { scope: "row" }, el("code", {}, row.name)),
      bar("forward", row.forward / longest, milliseconds(row.forward), "", "green", row.forward),
      bar("backward", row.backward / longest, milliseconds(row.backward), "", "orange", row.backward)))));
}
