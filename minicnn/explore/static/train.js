// View "Train": the setting, the buttons, and asking ten times a second and more how it goes.

import { ask } from "./api.js";
import { el, replace } from "./dom.js";
import { Curves } from "./train_curves.js";
import { Form } from "./train_form.js";
import { RunPanel } from "./train_run.js";
import { around, t } from "./texts.js";

const PACE = 80; // milliseconds from one question to the next while the training goes on
const IDLE = 1000; // and while it stands: another tab may start it

export async function startTrain(section) {
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  section.append(problem);
  const fail = (error) => {
    problem.hidden = false;
    replace(problem, el("strong", {}, t("train.problem")), error.message);
  };
  let options;
  try {
    options = await ask("/api/train");
  } catch (error) {
    fail(error);
    return;
  }
  const view = new View(section, options, problem, fail);
  section.addEventListener("show", () => view.soon());
  document.addEventListener("visibilitychange", () => document.hidden || view.soon());
  view.soon();
}

class View {
  constructor(section, options, problem, fail) {
    Object.assign(this, { section, problem, fail });
    this.number = 0; // of the training that is shown
    this.shape = []; // of the parameter that is followed
    this.look = { digit: 0, parameter: "cnn.0.weight", place: [0, 0, 2, 2] };
    this.timer = 0;
    this.form = new Form(options, () => this.#told());
    this.changed = el("p", { class: "note", hidden: true }, t("train.changed"));
    this.state = el("p", { id: "train-state", role: "status" });
    this.buttons = Object.fromEntries(["start", "pause", "step", "epoch"].map((how) => [how, el("button", { type: "button", class: how === "start" ? "strong" : null, onclick: () => this.#go(how) }, t(`train.${how}`))]));
    const again = el("button", { type: "button", onclick: () => this.#begin("start") }, t("train.again"));
    this.curves = new Curves();
    this.runs = el("div", { class: "train-runs" });
    this.live = el("div", { hidden: true }, this.curves.element, this.#lookedAt(), this.runs);
    section.append(this.#experiments(options.experiments), this.form.element, this.changed,
      el("div", { class: "actions", role: "group", "aria-label": t("train.buttons") }, Object.values(this.buttons), again), this.state, this.live);
  }

  #experiments(all) {
    return el("details", { class: "card" }, el("summary", {}, t("train.experiments")), el("ol", { class: "experiments" }, all.map(({ key, runs }) =>
      el("li", {}, el("h3", {}, t(`train.experiment.${key}.name`)), el("p", {}, t(`train.experiment.${key}.expect`)),
        el("button", { type: "button", "aria-label": `${t("train.try")}: ${t(`train.experiment.${key}.name`)}`, onclick: () => { this.form.write(runs); this.#begin("start"); } }, t("train.try"))))));
  }

  /** The digit and the weight that are looked at, in all runs. */
  #lookedAt() {
    this.digit = el("input", { type: "number", id: "train-digit", min: 0, max: 999, value: 0 });
    this.digit.addEventListener("input", () => {
      this.look.digit = Math.max(0, Math.min(999, Number.parseInt(this.digit.value, 10) || 0));
      this.soon();
    });
    this.parameter = el("select", { id: "train-parameter", onchange: () => this.#choose(this.parameter.value, null) });
    this.places = el("span", {});
    return el("fieldset", { class: "looked-at" }, el("legend", {}, t("train.looked_at")),
      el("label", { for: "train-digit" }, t("train.which_digit")), this.digit,
      el("label", { for: "train-parameter" }, t("train.which_weight")), this.parameter, this.places);
  }

  #choose(parameter, place) {
    const shape = this.shapes.get(parameter);
    this.look = { ...this.look, parameter, place: place ?? shape.map((size) => Math.floor(size / 2)) };
    this.parameter.value = parameter;
    replace(this.places, shape.map((size, axis) => {
      const box = el("input", { type: "number", min: 0, max: size - 1, value: this.look.place[axis], "aria-label": t("train.place", { axis }) });
      box.addEventListener("input", () => {
        this.look.place[axis] = Math.max(0, Math.min(size - 1, Number.parseInt(box.value, 10) || 0));
        this.soon();
      });
      return box;
    }));
    this.soon();
  }

  async #act(path, body) {
    try {
      const answer = await ask(path, body);
      this.problem.hidden = true;
      return answer;
    } catch (error) {
      this.fail(error);
      return null;
    }
  }

  async #begin(how) {
    if (!(await this.#act("/api/train/begin", { runs: this.form.read() }))) return;
    this.begun = JSON.stringify(this.form.read());
    this.#told();
    await this.#act("/api/train/go", { how });
    this.soon();
  }

  async #go(how) {
    if (!this.number && how !== "pause") await this.#begin(how);
    else await this.#act("/api/train/go", { how });
    this.soon();
  }

  #told() {
    this.changed.hidden = !this.begun || this.begun === JSON.stringify(this.form.read());
  }

  /** Asks at once. */
  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#ask(), 0);
  }

  /** One question at a time, however slow the way is; none while the view is not shown. */
  async #ask() {
    if (this.section.hidden || document.hidden) return;
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    this.again = false;
    const asked = performance.now();
    let wait = IDLE;
    try {
      const answer = await ask("/api/train/look", this.look);
      this.#draw(answer);
      if (this.lost) this.problem.hidden = true;
      this.lost = false;
      if (answer.running || answer.busy) wait = Math.max(0, PACE - (performance.now() - asked));
    } catch (error) {
      this.lost = true;
      this.fail(error);
    }
    this.asking = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#ask(), this.again ? 0 : wait);
  }

  #draw(answer) {
    const state = answer.compiling ? "compiling" : answer.busy ? "busy" : answer.running ? "running" : answer.nobody ? "nobody" : answer.runs ? "paused" : "none";
    const words = t(`train.state.${state}`);
    if (this.state.textContent !== words) this.state.textContent = words;
    this.state.dataset.state = state;
    this.buttons.pause.disabled = !answer.running;
    this.buttons.start.disabled = answer.running;
    if (!answer.learners?.length) {
      this.live.hidden = true;
      if (!answer.busy) this.number = 0;
      return;
    }
    if (this.number !== answer.number) this.#take(answer);
    this.live.hidden = false;
    this.curves.draw(answer.learners);
    answer.learners.forEach((run, place) => this.panels[place].draw(run, "AB"[place]));
  }

  /** Another training than the one shown: begun here, or in another tab. */
  #take(answer) {
    this.number = answer.number;
    const settings = answer.learners.map((run) => run.setting);
    this.form.write(settings);
    this.begun = JSON.stringify(this.form.read());
    this.#told();
    this.shapes = new Map(answer.learners[0].sizes.map((row) => [row.name, row.shape]));
    replace(this.parameter, [...this.shapes.keys()].map((name) => el("option", { value: name }, name)));
    this.panels = settings.map((_, place) => new RunPanel(place, {
      rate: (lr) => this.#act("/api/train/rate", { run: place, lr }).then(() => this.soon()),
      keep: () => this.#keep(place),
      choose: (parameter, at) => this.#choose(parameter, at),
    }));
    replace(this.runs, this.panels.map((panel) => panel.element));
    this.runs.classList.toggle("two", settings.length > 1);
    this.curves.begin(settings.length);
    this.#choose("cnn.0.weight", [0, 0, 2, 2]);
  }

  async #keep(place) {
    const answer = await this.#act("/api/train/keep", { run: place });
    if (answer) replace(this.panels[place].kept, around("train.kept", { folder: el("code", {}, answer.folder), command: el("code", {}, `python -m minicnn.explore --run ${answer.folder}`) }));
  }
}
