/** Says things to the kernel and notices when nobody there listens: it is busy with a cell, or it is gone. */

import { listen } from "../dom.js";

export const PATIENCE = 3000; // milliseconds: Python answers every message at once, unless a cell is at work

export const SILENT =
  "The kernel does not answer: it is busy with another cell, it was restarted (then the run has ended), or the " +
  "connection is lost. If this stays: interrupt the other cell with ■ in the toolbar, or run the cell of this panel again.";

/**
 * @param {import("../types.js").Model} model
 * @param {AbortSignal} signal
 * @param {(listening: boolean) => void} changed called when an answer came, or none in time
 * @returns {(message: object, heard?: () => void) => void} says a message; `heard` is called when it arrived
 */
export function line(model, signal, changed) {
  const me = Math.random().toString(36).slice(2); // a second view of the same widget hears our answers too
  const waiting = new Map();
  let said = 0;
  listen(model, signal, ({ type, id }) => {
    if (type !== "heard" || !waiting.has(id)) return;
    const { timer, heard } = waiting.get(id);
    clearTimeout(timer);
    waiting.delete(id);
    changed(true);
    heard();
  });
  signal.addEventListener("abort", () => waiting.forEach(({ timer }) => clearTimeout(timer)));
  return (message, heard = () => {}) => {
    const id = `${me}-${++said}`;
    waiting.set(id, { heard, timer: setTimeout(() => changed(false), PATIENCE) });
    try {
      model.send({ ...message, id });
    } catch {
      changed(false); // the connection to the kernel is closed
    }
  };
}
