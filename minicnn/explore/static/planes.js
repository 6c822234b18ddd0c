// Planes that come as bytes, drawn on canvases: one pixel a number, in the colours of the page.

import { el, show } from "./dom.js";
import { t } from "./texts.js";

const probe = el("span", { hidden: true });
document.body.append(probe);
const palettes = new Map();
const drawn = new Set();

/** A colour variable of the style sheet as [red, green, blue], in the theme that is on. */
function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
}

const mix = (a, b, t) => a.map((x, i) => Math.round(x + (b[i] - x) * t));

/** 256 colours: from paper to ink, or for signed numbers from orange over paper (0) to blue. */
function palette(signed) {
  if (!palettes.has(signed)) {
    const paper = colour("--card");
    const [up, down] = signed ? [colour("--blue"), colour("--orange")] : [colour("--ink"), null];
    palettes.set(signed, Uint32Array.from({ length: 256 }, (_, byte) => {
      const t = signed ? (byte - 127.5) / 127.5 : byte / 255;
      const share = signed && Math.abs(t) < 0.01 ? 0 : signed ? Math.abs(t) ** 0.8 : t;
      const [red, green, blue] = mix(paper, t < 0 ? down : up, share);
      return (255 << 24) | (blue << 16) | (green << 8) | red; // as a canvas holds it
    }));
  }
  return palettes.get(signed);
}

document.addEventListener("themechange", () => {
  palettes.clear();
  for (const canvas of drawn) canvas.isConnected ? canvas.repaint() : drawn.delete(canvas);
});

export function bytesOf(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < bytes.length; place++) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

export function textOf(bytes) {
  let letters = "";
  for (let place = 0; place < bytes.length; place += 8192) letters += String.fromCharCode(...bytes.subarray(place, place + 8192));
  return btoa(letters);
}

/** A canvas (H, W) of bytes; scale: screen pixels for each number. */
export function plane(bytes, height, width, { signed = false, scale = 2, label = "", canvas = null } = {}) {
  const picture = canvas ?? el("canvas", { class: "plane" });
  if (picture.width !== width) picture.width = width;
  if (picture.height !== height) picture.height = height;
  picture.style.width = `${width * scale}px`;
  picture.style.aspectRatio = `${width} / ${height}`;
  if (label) {
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", label);
  } else picture.setAttribute("aria-hidden", "true");
  picture.repaint = () => {
    const context = picture.getContext("2d");
    const image = context.createImageData(width, height);
    const colours = palette(signed);
    const pixels = new Uint32Array(image.data.buffer);
    for (let place = 0; place < bytes.length; place++) pixels[place] = colours[bytes[place]];
    context.putImageData(image, 0, 0);
  };
  picture.repaint();
  drawn.add(picture);
  return picture;
}

/** An image (C, H, W) of bytes, flat, in its own colours on a canvas of its own size: grey, or red, green and blue. */
export function coloured(bytes, [channels, height, width]) {
  const canvas = new OffscreenCanvas(width, height);
  const image = new ImageData(width, height);
  const size = height * width;
  const last = channels - 1;
  for (let place = 0; place < size; place++) {
    image.data.set([bytes[place], bytes[Math.min(1, last) * size + place], bytes[last * size + place], 255], 4 * place);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** A test image (C, H, W) as a picture about 42 pixels wide. */
function small(bytes, [channels, height, width]) {
  if (channels === 1) return plane(bytes, height, width, { scale: 42 / width });
  const canvas = el("canvas", { class: "plane", width, height });
  canvas.style.width = "42px";
  canvas.getContext("2d").drawImage(coloured(bytes, [channels, height, width]), 0, 0);
  return canvas;
}

/** Small pictures of test images, each a button. */
export function thumbnails(images, pick) {
  return el("div", { class: "thumbnails" }, images.map((image) => {
    const text = image.probability === null ? image.name : `${show(100 * image.probability, 3)} %`;
    const name = t("image.name", { index: image.index, name: image.name });
    return el("button", { type: "button", class: "picture", "aria-label": name, onclick: () => pick(image.index) }, small(bytesOf(image.pixels), image.shape), el("span", {}, text));
  }));
}
