// View "Source": a function's real lines on the layer bench's numbers.

import { ask, latest } from "./api.js";
import { press, segments } from "./controls.js";
import { el, replace, skipTo } from "./dom.js";
import { questionBox } from "./questions.js";
import { argumentControls, chooseLayer, current, follow, LAYERS, link, otherNumbers, question, transpose } from "./setting.js";
import { around, t } from "./texts.js";
import { Walker } from "./walker.js";

export async function startSource(section) {
  const state = { subject: null, step: null };
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const fail = (error) => {
    problem.hidden = false;
    replace(problem, el("strong", {}, t("view.not_answered")), error.message);
  };
  let words = null; // what a link says, until the list of functions is there
  section.addEventListener("show", (event) => {
    words = event.detail;
  }, { once: true });
  section.append(problem);
  let listing;
  try {
    listing = await ask("/api/source/subjects");
  } catch (error) {
    fail(error);
    return;
  }
  state.subject = listing.subjects[0].name; // the reader's own layer, where there is one
  const byName = new Map(listing.subjects.map((subject) => [subject.name, subject]));
  const controls = argumentControls(t("source.controls"), () => refresh());
  controls.element.open = false;
  const layers = segments(t("source.layers"), LAYERS.map((name) => [name, name]), current.layer, (name) => {
    chooseLayer(name);
    follow(controls);
    refresh();
  });
  const groups = [...new Set(listing.subjects.map((subject) => subject.group))];
  const choice = el("select", { id: "source-subject", onchange: () => open(choice.value) },
    groups.map((group) => el("optgroup", { label: group }, listing.subjects.filter((subject) => subject.group === group).map(({ name }) => el("option", { value: name }, name)))));
  const fresh = el("button", { type: "button", class: "quiet", onclick: () => { otherNumbers(); refresh(); } }, t("view.other_numbers"));
  const bench = el("a", { href: "#bench" }, t("source.bench"));
  const verdict = el("details", { class: "card", id: "source-verdict", hidden: true });
  function showVerdict(told) {
    verdict.hidden = !told;
    if (told) replace(verdict, el("summary", {}, around("source.gradcheck", { verdict: el("b", {}, t(told.right ? "source.gradcheck.right" : "source.gradcheck.wrong")) })), el("pre", { tabindex: 0 }, told.text));
    verdict.open = Boolean(told) && !told.right;
  }
  const walker = new Walker({ words: listing, moved: remember, origin: (step, name, at) => point(step, name, at) });
  const point = latest((step, name, at) => ask("/api/source/cell", { ...question(), subject: state.subject, step, name, at }), (answer, _, name, at) => walker.told(answer, name, at), fail);
  section.append(
    skipTo(() => walker.code, t("source.skip")),
    el("div", { class: "actions" }, el("label", { for: "source-subject" }, t("source.function")), choice, layers, fresh, bench),
    controls.element, questionBox(listing.questions, visit), verdict, walker.element);

  const refresh = latest(() => ask("/api/source", { ...question(), subject: state.subject }), (answer) => {
    problem.hidden = !answer.problem;
    walker.element.classList.toggle("stale", Boolean(answer.problem));
    if (answer.problem) replace(problem, el("strong", {}, t("view.refused", { kind: answer.problem.kind })), answer.problem.sentence);
    else walker.open(answer, state.sought ? null : state.step);
    state.transposed = answer.transposed ?? state.transposed;
    if (!answer.problem && state.sought) walker.go(walker.walk.first(state.sought.function, state.sought.line));
    state.sought = null;
    showVerdict(answer.verdict);
    state.step = null;
  }, fail);

  function open(name, step = null) {
    const { layer } = byName.get(name);
    Object.assign(state, { subject: name, step });
    if (layer && layer !== current.layer) chooseLayer(layer);
    choice.value = name;
    layers.hidden = Boolean(layer);
    press(layers, current.layer);
    follow(controls);
    refresh();
  }

  /** To a place of a question. ConvTranspose2d gets the numbers that Conv2d had, and they come back with Conv2d. */
  function visit(place) {
    state.sought = place;
    if (place.transposed && current.layer === "Conv2d" && state.transposed) {
      state.before = structuredClone(current);
      transpose(state.transposed);
    } else if (!place.transposed && state.before) {
      Object.assign(current, state.before);
      state.before = null;
    }
    open(place.subject);
  }

  let waiting = 0;
  /** The address says where the reader stands. Browsers refuse to be told at every move of a slider. */
  function remember(place) {
    clearTimeout(waiting);
    waiting = setTimeout(() => section.hidden || history.replaceState(null, "", link("source", { function: state.subject, step: place + 1 })), 250);
  }

  function shown(detail) {
    const asked = detail.get("function");
    const step = Number.parseInt(detail.get("step"), 10);
    open(byName.has(asked) ? asked : state.subject, Number.isNaN(step) ? null : step - 1);
  }
  section.addEventListener("show", (event) => shown(event.detail));
  shown(words ?? new URLSearchParams());
}
