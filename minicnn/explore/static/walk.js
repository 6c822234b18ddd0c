// A recorded walk through source: which step comes next, and what every name holds there. No drawing here.

export class Walk {
  /** recording: what /api/source answers. */
  constructor(recording) {
    Object.assign(this, recording);
    const held = this.frames.map(() => ({}));
    this.states = this.stops.map((stop) => {
      const state = { ...held[stop.frame], ...stop.set };
      for (const name of stop.gone ?? []) delete state[name];
      return (held[stop.frame] = state);
    });
  }

  source(place) {
    return this.sources[this.frames[this.stops[place].frame].source];
  }

  /** The calls that lead here, outermost first. */
  calls(place) {
    const found = [];
    for (let frame = this.stops[place].frame; frame !== null; frame = this.frames[frame].parent) found.unshift(frame);
    return found;
  }

  #find(place, by, fits) {
    for (let other = place + by; other >= 0 && other < this.stops.length; other += by) if (fits(this.stops[other], other)) return other;
    return null;
  }

  /** The next (by = 1) or last (by = -1) step of this function, or of its callers where it has none; what it calls is passed over. */
  over(place, by = 1) {
    const calls = this.calls(place);
    return this.#find(place, by, (stop) => calls.includes(stop.frame));
  }

  /** The first step of the function that is called now. */
  into(place) {
    const next = this.stops[place + 1];
    return next && !this.calls(place).includes(next.frame) ? place + 1 : null;
  }

  /** The step of the caller in which this call ends. */
  out(place) {
    const calls = this.calls(place).slice(0, -1);
    return this.#find(place, 1, (stop) => calls.includes(stop.frame));
  }

  /** The next step of this function that changes what `name` holds. */
  change(place, name) {
    const { frame } = this.stops[place];
    return this.#find(place, 1, (stop) => stop.frame === frame && name in stop.set);
  }

  /** The first step at which a function has come to the line that begins so; null where it does not. */
  first(name, begins) {
    return this.#find(-1, 1, (stop, place) => {
      const source = this.source(place);
      const text = (source.lines[stop.lines[0] - source.first] ?? []).map(([, piece]) => piece).join("");
      return source.name === name && text.trim().startsWith(begins);
    });
  }

  /** All names that this call ever holds. */
  names(place) {
    const { frame } = this.stops[place];
    return [...new Set(this.stops.filter((stop) => stop.frame === frame).flatMap((stop) => Object.keys(stop.set)))];
  }

  /** What this step changed of a name: "new", a set of places in its flat numbers, or null. */
  changed(place, name) {
    const stop = this.stops[place];
    if (!(name in stop.set)) return null;
    const before = this.#find(place, -1, (other) => other.frame === stop.frame);
    const old = before === null ? undefined : this.states[before][name];
    if (!old) return "new";
    const [one, two] = [this.values[old[0]], this.values[stop.set[name][0]]];
    if (!one.data || !two.data || String(one.shape) !== String(two.shape)) return "new";
    return new Set(two.data.flatMap((number, at) => (Object.is(number, one.data[at]) ? [] : [at])));
  }

  /** The last step up to here, in this call, that set the number of `name` at a flat place. */
  setBy(place, name, at) {
    const { frame } = this.stops[place];
    let now = place;
    while (now !== null) {
      const changed = this.stops[now].frame === frame ? this.changed(now, name) : null;
      if (changed === "new" || changed?.has(at)) return now;
      now = this.#find(now, -1, (stop) => stop.frame === frame);
    }
    return null;
  }
}

/** The planes of an array: its last two axes as a table, the others as the table's name. */
export function planes(value, letters) {
  const { shape, data } = value;
  const [rows, columns] = shape.length > 1 ? shape.slice(-2) : [1, shape[0] ?? 1];
  const leading = shape.slice(0, -2);
  const names = letters.replace(/[()]/g, "").split(",").map((axis) => axis.trim());
  const size = rows * columns;
  const count = leading.reduce((product, n) => product * n, 1);
  return Array.from({ length: size ? count : 0 }, (_, plane) => {
    const index = [];
    for (let axis = leading.length - 1, rest = plane; axis >= 0; rest = Math.floor(rest / leading[axis]), axis -= 1) index.unshift(rest % leading[axis]);
    const words = index.map((i, axis) => (leading[axis] === 1 ? null : names.length === shape.length ? `${names[axis].toLowerCase()} ${i}` : `[${i}]`));
    const first = plane * size;
    return { first, columns, name: words.filter(Boolean).join(", "), values: Array.from({ length: rows }, (__, i) => data.slice(first + i * columns, first + (i + 1) * columns)) };
  });
}
