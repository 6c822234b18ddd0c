// View 5: bars of parameters and multiply-adds, and the time of each layer on this machine.

import { ask } from "./api.js";
import { count, el, replace, show } from "./dom.js";
import { t } from "./texts.js";

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
    el("caption", {}, t("costs.caption", { network: about.network, parameters: count(about.total.parameters), work: count(about.total.multiply_adds), bytes: count(about.total.kept_bytes) })),
    el("thead", {}, el("tr", {}, ["layer", "output", "parameters", "work", "bytes", "sees"].map((name) => el("th", { scope: "col" }, t(`costs.${name}`))))),
    el("tbody", {}, about.layers.map((row) => el("tr", {},
      layerName(row.name, row.layer),
      el("td", { class: "shape" }, row.output_shape.join(" × ")),
      bar(t("costs.narrow.parameters"), row.share_parameters, `${count(row.parameters)}`, percent(row.share_parameters), "violet", row.parameters),
      bar(t("costs.narrow.work"), row.share_multiply_adds, `${count(row.multiply_adds)}`, percent(row.share_multiply_adds), "blue", row.multiply_adds),
      bar(t("costs.narrow.bytes"), row.share_kept_bytes, `${count(row.kept_bytes)}`, percent(row.share_kept_bytes), "green", row.kept_bytes),
      el("td", { class: "sees", "data-column": t("costs.narrow.sees") }, row.receptive_field ? row.receptive_field.join(" × ") : "")))));
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
  return el("p", {}, t("costs.most", { parameters: percent(parameters.share_parameters), here: parameters.name, work: percent(work.share_multiply_adds), there: work.name }));
}

function timing(about) {
  const batch = el("input", { type: "number", min: 1, max: 256, value: 64, id: "batch" });
  const backend = el("select", { id: "backend" }, about.backends.map((name) => el("option", { value: name }, name)));
  const threads = el("input", { type: "number", min: 1, max: about.cores, value: about.cores, id: "threads" });
  const message = el("p", { class: "note", role: "status" }, t("costs.median"));
  const result = el("div", { class: "wide-table" });
  const button = el("button", { type: "button", class: "strong", id: "measure" }, t("costs.measure"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    message.textContent = t(backend.value === "numba" ? "costs.compiling" : "costs.measuring");
    try {
      const answer = await ask("/api/costs/time", { batch: Number(batch.value), backend: backend.value, threads: Number(threads.value) });
      replace(result, timeTable(answer));
      message.textContent = t("costs.rounds", { count: answer.rounds });
    } catch (error) {
      message.textContent = error.message;
    }
    button.disabled = false;
  });
  return el("div", {}, el("h2", {}, t("costs.here")),
    el("div", { class: "actions" }, el("label", { for: "batch" }, t("costs.images")), batch, el("label", { for: "backend" }, t("costs.backend")), backend, el("label", { for: "threads" }, t("costs.threads")), threads, button),
    message, result);
}

function timeTable(answer) {
  const longest = Math.max(...answer.layers.flatMap((row) => [row.forward, row.backward]));
  const milliseconds = (seconds) => `${show(1000 * seconds, 3)} ms`;
  const { forward, backward } = answer.total;
  return el("table", { class: "bars", id: "time-table" },
    el("caption", {}, t(answer.threads > 1 ? "costs.times.many" : "costs.times.one", { ...answer, forward: milliseconds(forward), backward: milliseconds(backward) })),
    el("thead", {}, el("tr", {}, ["layer", "forward", "backward"].map((name) => el("th", { scope: "col" }, t(`costs.${name}`))))),
    el("tbody", {}, answer.layers.map((row) => el("tr", {},
      el("th", { scope: "row" }, el("code", {}, row.name)),
      bar(t("costs.narrow.forward"), row.forward / longest, milliseconds(row.forward), "", "green", row.forward),
      bar(t("costs.narrow.backward"), row.backward / longest, milliseconds(row.backward), "", "orange", row.backward)))));
}
