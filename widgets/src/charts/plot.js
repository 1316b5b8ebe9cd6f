/** One Vega view on points that stream in: built when it is first seen, fed by changesets, let go of at the end. */

import { changeset, Error as OnlyErrors, parse, View, Warn } from "vega";
import { compile } from "vega-lite";
import { Handler } from "vega-tooltip";

/** Where the plot of a built-in chart lies in its frame: fixed, so that nothing moves when numbers grow. */
export const FRAME = { height: 208, left: 46, right: 12, top: 42, bottom: 32 };

const SEEN = 0.5; // pixels

/** All tables at once, for charts that students bring. */
const POINTS = "points";

export class Plot {
  #view = null;
  #drawn = ""; // the width and the end of the last drawing
  #busy = false;
  #again = false;
  #changed = new Map(); // name of data → keys that changed since the last drawing; null: all
  #shown = new Map(); // name of data → key → what Vega holds

  /**
   * @param {HTMLElement} host
   * @param {{spec: any, own?: boolean}} chart
   * @param {(name: string) => Map<string, any>} points by key, of all runs that are shown
   * @param {(name: string, key: string) => any} point one of them
   */
  constructor(host, chart, points, point) {
    Object.assign(this, { host, chart, points, point, config: {}, end: 10, draws: 0 });
    this.names = dataNames(chart.spec);
  }

  /** Something changed in a table. @param {string} table @param {string[] | null} keys null: everything */
  change(table, keys) {
    for (const name of this.names) {
      if (name !== table && (name !== POINTS || table === "marks" || table === "rows")) continue;
      const before = this.#changed.get(name);
      if (keys === null || before === null) this.#changed.set(name, null);
      else this.#changed.set(name, new Set([...(before ?? []), ...keys]));
    }
  }

  /** Another look, or another width: everything is built anew. @param {object} config of Vega-Lite */
  restyle(config) {
    this.config = config;
    this.close();
  }

  /** Draw what changed; while a drawing is under way, once more after it. @returns {Promise<void>} */
  async draw() {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    try {
      if (this.host.clientWidth > 0) await this.#draw();
    } finally {
      this.#busy = false;
    }
    if (this.#again) {
      this.#again = false;
      await this.draw();
    }
  }

  /** Say where the run ends now, in seconds: its axis moves when that can be seen, which is seldom in a long run. */
  until(end) {
    if (Math.abs(end - this.end) * this.#width() > SEEN * end) this.end = end;
  }

  async #draw() {
    const width = this.#width();
    const now = `${width} ${this.end}`;
    if (this.#view && !this.#changed.size && now === this.#drawn) return; // it would look the same
    if (!this.#view) this.#build();
    const view = this.#view;
    if (!this.chart.own) view.signal("end", this.end).signal("soft", this.config.axis.labelColor);
    view.width(width);
    for (const name of this.names) this.#apply(name);
    this.#drawn = now;
    await view.runAsync();
    this.draws += 1;
  }

  #width() {
    const sides = this.chart.own ? 0 : FRAME.left + FRAME.right;
    return Math.max(60, Math.floor(this.host.clientWidth) - sides);
  }

  #build() {
    const spec = { ...structuredClone(this.chart.spec), width: this.#width(), ...size(this.chart) };
    // A canvas has no words for single points; to write them all the same took a third of an update.
    const vega = compile(spec, { config: { ...this.config, aria: false } }).spec;
    const logLevel = this.chart.own ? Warn : OnlyErrors; // that there are no points yet is no news
    this.#view = new View(parse(vega), { renderer: "canvas", container: this.host, hover: false, logLevel });
    this.#view.cleanThreshold = 200; // of what was taken out: Vega would keep ten thousand
    if (this.chart.own) this.#view.hover().tooltip(new Handler().call);
    this.#shown = new Map([...this.names].map((name) => [name, new Map()]));
    for (const name of this.names) this.#changed.set(name, null);
  }

  /** Tell Vega the difference between what it holds and what there is. */
  #apply(name) {
    if (!this.#changed.has(name)) return;
    const shown = this.#shown.get(name);
    const keys = this.#changed.get(name);
    const now = keys ? new Map([...keys].map((key) => [key, this.point(name, key)])) : this.points(name);
    const changes = changeset();
    for (const key of keys ?? new Set([...shown.keys(), ...now.keys()])) merge(changes, shown, key, now.get(key));
    this.#changed.delete(name);
    this.#view.change(name, changes);
  }

  /** @param {string} name of data @returns {any[]} what Vega holds of it */
  data = (name) => this.#view?.data(name) ?? [];

  /** Let go of the view; the next drawing makes another. */
  close() {
    this.#view?.finalize();
    this.#view = null;
    this.host.replaceChildren();
  }
}

/**
 * One point as it is now. It is changed where it stands: Vega keeps a trace of everything that was ever taken out, and
 * the newest points change with every message.
 */
function merge(changes, shown, key, point) {
  const before = shown.get(key);
  if (before && point) {
    for (const [field, value] of Object.entries(point)) if (before[field] !== value) changes.modify(before, field, value);
  } else if (before) {
    changes.remove(before);
    shown.delete(key);
  } else if (point) {
    changes.insert(point);
    shown.set(key, point);
  }
}

/** How large a chart is: ours are told, those that students bring fit themselves in. */
function size(chart) {
  if (chart.own) return { autosize: { type: "fit", contains: "padding" }, height: chart.spec.height ?? FRAME.height };
  const { left, right, top, bottom, height } = FRAME;
  return { autosize: "none", padding: { left, right, top, bottom }, height: height - top - bottom };
}

/** The names of data that a spec refers to. @param {any} spec @returns {Set<string>} */
export function dataNames(spec, found = new Set()) {
  if (spec && typeof spec === "object") {
    if (typeof spec.data?.name === "string" && !spec.data.values) found.add(spec.data.name);
    for (const value of Object.values(spec)) dataNames(value, found);
  }
  return found;
}
