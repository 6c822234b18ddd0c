// View 4: a run's history, its filters epoch by epoch, its confusion matrix; the digit has a file of its own.

import { ask } from "./api.js";
import { lineChart } from "./chart.js";
import { startDigit } from "./digit.js";
import { copyButton, count, el, replace, show } from "./dom.js";
import { NumberGrid } from "./grid.js";
import { plane, thumbnails } from "./planes.js";

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
  const facts = [c.network, c.parameters && `${count(c.parameters)} parameters`, c.train_size && `${count(c.train_size)} training images`, c.epochs && `${c.epochs} epoch${c.epochs > 1 ? "s" : ""}`, c.batch_size && `batches of ${c.batch_size}`, c.lr && `learning rate ${c.lr}`, c.seed !== undefined && `seed ${c.seed}`].filter(Boolean);
  const digitBox = el("div", {});
  const filterBox = el("div", {});
  const confusionBox = el("div", {});
  section.append(
    el("p", { class: "lead" }, el("b", {}, run.name), `: ${facts.join(", ")}. Its task: ${run.question}`),
    run.note ? el("p", { class: "note" }, run.note) : "",
    ...(classifies ? [el("h2", {}, "A digit on its way through"), digitBox] : [el("p", { id: "no-classes" }, "This network paints pictures and names no classes, so there is no digit to follow through it here and no confusion matrix. Its run folder holds the pictures: what was painted, and the way from one digit to another.")]),
    el("h2", {}, "How the training went"), history(run.metrics),
    el("h2", {}, "The first layer's filters, epoch by epoch"), filterBox);
  showFilters(filterBox);
  if (!classifies) return;
  section.append(el("h2", {}, "What is taken for what"), confusionBox);
  showConfusion(confusionBox, run.classes, startDigit(digitBox));
}

function howToTrain() {
  const commands = "python -m minicnn.train\npython -m minicnn.explore --run runs/simplecnn-seed0";
  return el("div", { class: "card", id: "no-run" },
    el("p", {}, "No run is open. The first of these commands trains the course's network, the second opens this page on it:"),
    el("pre", { tabindex: 0 }, commands), copyButton("Copy the commands", () => commands),
    el("p", { class: "note" }, "The training takes about ten seconds and leaves a run folder. This view then shows how it went, and what the trained network does with a digit that you draw."));
}

function history(metrics) {
  if (!metrics.length) return el("p", {}, "No epoch is finished yet: reload this page when one is.");
  const epochs = metrics.map((row) => row.epoch);
  const chart = (title, name) => el("figure", { class: "figure" }, el("figcaption", {}, title), lineChart(title, epochs, [
    { name: "training", kind: "train", values: metrics.map((row) => row[`train_${name}`]) },
    { name: "validation", kind: "val", values: metrics.map((row) => row[`val_${name}`]) },
  ]));
  const columns = Object.keys(metrics[0]);
  return el("div", {},
    el("p", { class: "legend" }, el("span", {}, el("i", { class: "k-input" }), "training"), el("span", {}, el("i", { class: "k-gradient" }), "validation")),
    el("div", { class: "figures" }, chart("Loss", "loss"), chart("Accuracy", "accuracy")),
    el("details", {}, el("summary", {}, "The numbers"), el("div", { class: "wide-table" }, el("table", { class: "plain", id: "metrics-table" },
      el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name.replaceAll("_", " "))))),
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
  const name = (epoch) => (epoch === null ? "after training" : epoch === 0 ? "before training" : `after epoch ${epoch}`);
  const last = answer.epochs.length - 1;
  const slider = el("input", { type: "range", min: 0, max: last, value: last, id: "filter-epoch" });
  const label = el("output", { for: "filter-epoch", id: "filter-epoch-name" });
  const pictures = el("div", { class: "filters" });
  const numbers = new NumberGrid({ label: "filter" });
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
      button.setAttribute("aria-label", `filter ${o}, ${name(epoch)}: show its numbers`);
      button.setAttribute("aria-pressed", String(chosen === o));
      if (!canvas.isConnected) button.append(canvas, el("span", {}, String(o)));
    });
    detail.hidden = chosen === null;
    if (chosen !== null) {
      numbers.caption.textContent = `filter ${chosen}, ${name(epoch)}`;
      numbers.update(filters[chosen].flat());
    }
  };
  slider.addEventListener("input", draw);
  replace(box,
    el("p", { class: "note" }, "Blue is positive, orange negative, on one scale for all epochs. ", answer.complete ? "Move the slider to watch them form." : "This run kept the final filters alone."),
    answer.complete ? el("div", { class: "actions slider" }, el("label", { for: "filter-epoch" }, "Epoch"), slider, label) : label,
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
    const button = el("button", { type: "button", disabled: value === 0, "aria-label": `${value} images of ${classes[i]} taken for ${classes[j]}`, onclick: () => open(i, j) }, value === 0 ? "·" : String(value));
    if (kind === "wrong") button.style.setProperty("--share", `${20 + (70 * value) / mistakes}%`);
    return el("td", { class: kind, "data-value": value }, button);
  };
  const open = async (truth, predicted, start = 0) => {
    const images = await ask("/api/run/images", { truth, predicted, start });
    replace(behind, el("h3", {}, `${images.total} images of ${classes[truth]} taken for ${classes[predicted]}`), el("p", { class: "note" }, "Choose one to send it through the network above."),
      thumbnails(images.images, digit.pick),
      images.total > start + images.images.length ? el("button", { type: "button", onclick: () => open(truth, predicted, start + images.images.length) }, "More") : null);
  };
  replace(box,
    el("p", {}, `${count(answer.right)} of ${count(answer.all)} test images are right (${show(100 * answer.accuracy)} %). Rows are the truth, columns what the network says; a cell opens the images behind it.`),
    el("div", { class: "wide-table" }, el("table", { class: "confusion", id: "confusion" },
      el("thead", {}, el("tr", {}, el("td", {}, el("span", { class: "note" }, "truth \\ says")), classes.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, answer.counts.map((row, i) => el("tr", {}, el("th", { scope: "row" }, classes[i]), row.map((value, j) => cell(value, i, j))))))),
    behind);
}
