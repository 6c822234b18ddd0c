// Questions that the view "Source" answers: places to look at, one after the other.

import { el, replace } from "./dom.js";
import { t } from "./texts.js";

/** questions: as the server lists them; visit(place) goes there. Gives the box. */
export function questionBox(questions, visit) {
  const box = el("details", { class: "card", id: "source-questions" }, el("summary", {}, t("question.title")));
  for (const { question, places } of questions) {
    const text = el("p", { "aria-live": "polite" });
    const back = el("button", { type: "button", class: "quiet", onclick: () => go(now - 1) }, t("question.back"));
    const next = el("button", { type: "button", class: "quiet", onclick: () => go(now + 1) });
    let now = -1;
    const show = () => {
      replace(text, now < 0 ? el("b", {}, question) : [el("b", {}, t("question.place", { number: now + 1, all: places.length })), " ", places[now].text]);
      next.textContent = t(now < 0 ? "question.begin" : "question.next");
      back.disabled = now <= 0;
      next.disabled = now === places.length - 1;
    };
    const go = (number) => {
      now = number;
      show();
      visit(places[now]);
    };
    show();
    box.append(text, el("div", { class: "actions" }, back, next));
  }
  return box;
}
