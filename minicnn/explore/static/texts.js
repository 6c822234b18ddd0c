// The page's texts, in its language. They come with the page, from minicnn/explore/texts.

const TEXTS = JSON.parse(document.getElementById("texts").textContent);

/** The text of a key, with its {names} filled in. */
export function t(key, names = {}) {
  return around(key, names).join("");
}

/** The same in pieces, for el() and replace(), where some of the names are elements. */
export function around(key, names) {
  return TEXTS[key].split(/\{(\w+)\}/).map((piece, place) => (place % 2 ? names[piece] : piece));
}

/** Whether there is such a text: not each name has one. */
export const has = (key) => key in TEXTS;
