// Which view is shown, and light or dark.

import { startBench } from "./bench.js";
import { startChannels } from "./channels.js";
import { startCosts } from "./costs.js";
import { startMatrix } from "./matrix.js";
import { startRun } from "./run.js";
import { adopt } from "./setting.js";
import { startSource } from "./source.js";
import { t } from "./texts.js";
import { startTrain } from "./train.js";

const views = { bench: startBench, source: startSource, channels: startChannels, matrix: startMatrix, train: startTrain, run: startRun, costs: startCosts };
const started = new Set();

function showView() {
  const [asked, words] = location.hash.slice(1).split("?");
  const name = asked in views ? asked : "bench";
  const more = words === undefined ? new URLSearchParams() : adopt(words);
  for (const other of Object.keys(views)) {
    document.getElementById(`view-${other}`).hidden = other !== name;
    const link = document.querySelector(`nav a[href="#${other}"]`);
    if (other === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const section = document.getElementById(`view-${name}`);
  document.title = `${section.querySelector("h1").textContent} · minicnn explore`;
  if (!started.has(name)) {
    started.add(name);
    views[name](section);
  }
  section.dispatchEvent(new CustomEvent("show", { detail: more }));
}

const button = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : system.matches;
}

function showTheme() {
  button.textContent = t(isDark() ? "page.light" : "page.dark");
  button.setAttribute("aria-label", t(isDark() ? "page.switch_to_light" : "page.switch_to_dark"));
  document.dispatchEvent(new Event("themechange"));
}

function remembered(value) {
  try {
    if (value) localStorage.setItem("theme", value);
    return localStorage.getItem("theme");
  } catch {
    return value ?? null; // storage can be switched off; then the choice lasts as long as the page
  }
}

button.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  remembered(document.documentElement.dataset.theme);
  showTheme();
});
system.addEventListener("change", showTheme);
const theme = remembered();
if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
showTheme();

const language = document.getElementById("language");
language.addEventListener("click", () => (language.hash = location.hash)); // the view and its numbers come along

addEventListener("hashchange", () => {
  if (location.hash === "#main") return;
  showView();
  document.getElementById("main").focus({ preventScroll: true });
  scrollTo(0, 0);
});
showView();
