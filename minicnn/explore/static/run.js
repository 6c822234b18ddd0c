// View 4: a run's history, its filters epoch by epoch, its confusion matrix; the digit has a file of its own.

import { ask } from "./api.js";
import { lineChart } from "./chart.js";
import { startDigit } from "./digit.js";
import { copyButton, count, el, replace, show } from "./dom.js";
import { NumberGrid } from "./grid.js";
import { plane, thumbnails } from "./planes.js";
import { around, has, t } from "./texts.js";

export async function startRun(section) {
  let run;
  try {
    run = await ask("/api/run");
  } catch (error) {
    section.append(el("p", { class: "problem", role: "alert" }, error.message));
    return;
  }
  if (!run.open) {
    section.append(howToTrain());
    return;
  }
  const c = run.config;
  const classifies = run.classes.length > 0;
  const facts = [
    c.network,
    c.parameters && t("run.parameters", { count: count(c.parameters) }),
    c.train_size && t("run.images", { count: count(c.train_size) }),
    c.epochs && t(c.epochs > 1 ? "run.epochs.many" : "run.epochs.one", { count: c.epochs }),
    c.batch_size && t("run.batches", { size: c.batch_size }),
    c.lr && t("run.lr", { lr: c.lr }),
    c.seed !== undefined && t("run.seed", { seed: c.seed }),
  ].filter(Boolean);
  const digitBox = el("div", {});
  const filterBox = el("div", {});
  const confusionBox = el("div", {});
  section.append(
    el("p", { class: "lead" }, around("run.facts", { name: el("b", {}, run.name), facts: facts.join(", "), question: run.question })),
    run.note ? el("p", { class: "note" }, run.note) : "",
    ...(classifies ? [el("h2", {}, t("run.digit")), digitBox] : [el("p", { id: "no-classes" }, t("run.no_classes"))]),
    el("h2", {}, t("run.history")), history(run.metrics),
    el("h2", {}, t("run.filters")), filterBox);
  showFilters(filterBox);
  if (!classifies) return;
  section.append(el("h2", {}, t("run.confusion")), confusionBox);
  showConfusion(confusionBox, run.classes, startDigit(digitBox));
}

function howToTrain() {
  const commands = "python -m minicnn.train\npython -m minicnn.explore --run runs/simplecnn-seed0";
  return el("div", { class: "card", id: "no-run" },
    el("p", {}, t("run.how")),
    el("pre", { tabindex: 0 }, commands), copyButton(t("run.copy_commands"), () => commands),
    el("p", { class: "note" }, t("run.how_long")));
}

function history(metrics) {
  if (!metrics.length) return el("p", {}, t("run.no_epoch"));
  const epochs = metrics.map((row) => row.epoch);
  const chart = (title, name) => el("figure", { class: "figure" }, el("figcaption", {}, title), lineChart(title, epochs, [
    { name: t("run.training"), kind: "train", values: metrics.map((row) => row[`train_${name}`]) },
    { name: t("run.validation"), kind: "val", values: metrics.map((row) => row[`val_${name}`]) },
  ]));
  const columns = Object.keys(metrics[0]);
  return el("div", {},
    el("p", { class: "legend" }, el("span", {}, el("i", { class: "k-input" }), t("run.training")), el("span", {}, el("i", { class: "k-gradient" }), t("run.validation"))),
    el("div", { class: "figures" }, chart(t("run.loss"), "loss"), chart(t("run.accuracy"), "accuracy")),
    el("details", {}, el("summary", {}, t("run.numbers")), el("div", { class: "wide-table" }, el("table", { class: "plain", id: "metrics-table" },
      el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, has(`run.column.${name}`) ? t(`run.column.${name}`) : name)))),
      el("tbody", {}, metrics.map((row) => el("tr", {}, columns.map((name) => el("td", { "data-value": row[name] }, show(row[name])))))))))); 
}

async function showFilters(box) {
  let answer;
  try {
    answer = await ask("/api/run/filters");
  } catch (error) {
    replace(box, el("p", { class: "note" }, error.message));
    return;
  }
  const name = (epoch) => (epoch === null ? t("filters.after_training") : epoch === 0 ? t("filters.before_training") : t("filters.after_epoch", { epoch }));
  const last = answer.epochs.length - 1;
  const slider = el("input", { type: "range", min: 0, max: last, value: last, id: "filter-epoch" });
  const label = el("output", { for: "filter-epoch", id: "filter-epoch-name" });
  const pictures = el("div", { class: "filters" });
  const numbers = new NumberGrid({ label: t("filters.filter") });
  const detail = el("div", { class: "card", hidden: true }, numbers.element);
  let chosen = null;
  const draw = () => {
    const { epoch, filters } = answer.epochs[slider.value];
    label.textContent = name(epoch);
    filters.forEach((filter, o) => {
      const values = filter.flat(); // of several channels (red, green, blue) one below the other
      // From number to byte: a matter of drawing; the numbers themselves are the server's.
      const bytes = Uint8Array.from(values.flat(), (value) => (typeof value === "number" ? Math.round(127.5 + (127.5 * value) / answer.largest) : 127));
      const button = pictures.children[o] ?? pictures.appendChild(el("button", { type: "button", class: "picture", onclick: () => { chosen = o; draw(); } }));
      const canvas = plane(bytes, values.length, values[0].length, { signed: true, scale: 12, canvas: button.querySelector("canvas") });
      button.setAttribute("aria-label", t("filters.button", { number: o, when: name(epoch) }));
      button.setAttribute("aria-pressed", String(chosen === o));
      if (!canvas.isConnected) button.append(canvas, el("span", {}, String(o)));
    });
    detail.hidden = chosen === null;
    if (chosen !== null) {
      numbers.caption.textContent = t("filters.caption", { number: chosen, when: name(epoch) });
      numbers.update(filters[chosen].flat());
    }
  };
  slider.addEventListener("input", draw);
  replace(box,
    el("p", { class: "note" }, t("filters.colours"), t(answer.complete ? "filters.move" : "filters.final_only")),
    answer.complete ? el("div", { class: "actions slider" }, el("label", { for: "filter-epoch" }, t("filters.epoch")), slider, label) : label,
    pictures, detail);
  draw();
}

async function showConfusion(box, classes, digit) {
  let answer;
  try {
    answer = await ask("/api/run/confusion");
  } catch (error) {
    replace(box, el("p", { class: "note" }, error.message));
    return;
  }
  const behind = el("div", { id: "behind", "aria-live": "polite" });
  const mistakes = Math.max(1, ...answer.counts.flatMap((row, i) => row.filter((_, j) => i !== j)));
  const cell = (value, i, j) => {
    const kind = value === 0 ? "none" : i === j ? "right" : "wrong";
    const button = el("button", { type: "button", disabled: value === 0, "aria-label": t("confusion.cell", { count: value, truth: classes[i], predicted: classes[j] }), onclick: () => open(i, j) }, value === 0 ? "·" : String(value));
    if (kind === "wrong") button.style.setProperty("--share", `${20 + (70 * value) / mistakes}%`);
    return el("td", { class: kind, "data-value": value }, button);
  };
  const open = async (truth, predicted, start = 0) => {
    const images = await ask("/api/run/images", { truth, predicted, start });
    replace(behind, el("h3", {}, t("confusion.cell", { count: images.total, truth: classes[truth], predicted: classes[predicted] })), el("p", { class: "note" }, t("confusion.choose")),
      thumbnails(images.images, digit.pick),
      images.total > start + images.images.length ? el("button", { type: "button", onclick: () => open(truth, predicted, start + images.images.length) }, t("image.more")) : null);
  };
  replace(box,
    el("p", {}, t("confusion.right", { right: count(answer.right), all: count(answer.all), share: show(100 * answer.accuracy) })),
    el("div", { class: "wide-table" }, el("table", { class: "confusion", id: "confusion" },
      el("thead", {}, el("tr", {}, el("td", {}, el("span", { class: "note" }, t("confusion.corner"))), classes.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, answer.counts.map((row, i) => el("tr", {}, el("th", { scope: "row" }, classes[i]), row.map((value, j) => cell(value, i, j))))))),
    behind);
}
