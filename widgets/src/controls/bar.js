/** Start, Pause, Resume, Stop and Reset: enabled by the run's state; Reset asks once while a run goes on. */

import { h } from "../dom.js";
import { icon } from "./icons.js";

export const GOING_ON = ["starting", "training", "paused"];
const BUTTONS = {
  start: ["Start", ["idle", "finished", "stopped", "failed"]],
  pause: ["Pause", ["starting", "training"]],
  resume: ["Resume", ["paused"]],
  stop: ["Stop", GOING_ON],
  reset: ["Reset", null], // whatever the state
};

/**
 * @param {() => string} state
 * @param {(what: string, heard: () => void) => void} press
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function bar(state, press) {
  const asked = question();
  const buttons = Object.fromEntries(
    Object.entries(BUTTONS).map(([what, [name]]) => {
      const button = h("button", { type: "button", class: `sl-${what}`, click: () => pressed(what) }, icon(what), name);
      return [what, button];
    }),
  );
  buttons.start.classList.add("sl-primary");
  const enabled = (what) => BUTTONS[what][1]?.includes(state()) ?? state() !== "closed";

  function pressed(what) {
    if (!enabled(what) || buttons[what].getAttribute("aria-busy")) return;
    if (what === "reset" && GOING_ON.includes(state())) asked.ask(buttons.reset, () => say("reset"));
    else say(what);
  }
  function say(what) {
    buttons[what].setAttribute("aria-busy", "true");
    const done = () => buttons[what].removeAttribute("aria-busy");
    setTimeout(done, 3000); // by then it was heard, or the page says that nobody listens
    press(what, done);
  }
  function update() {
    // Not `disabled`: the button that was pressed keeps the focus.
    for (const what of Object.keys(BUTTONS)) buttons[what].setAttribute("aria-disabled", String(!enabled(what)));
    if (!GOING_ON.includes(state())) asked.close();
  }
  const element = h("div", { class: "sl-bar", role: "group", "aria-label": "Run" }, ...Object.values(buttons), asked.element);
  return { element, update };
}

/** A short question under the buttons. */
function question() {
  let then = () => {};
  let back = null;
  const keep = h("button", { type: "button", click: () => close() }, "Keep running");
  const yes = h("button", { type: "button", class: "sl-danger", click: () => (close(), then()) }, "End it and clear");
  const words = "End this run, kill its kernels and clear the charts?";
  const element = h("div", { class: "sl-question", role: "alertdialog", "aria-label": words, hidden: true }, words, yes, keep);
  element.addEventListener("keydown", (event) => event.key === "Escape" && close());
  function close() {
    if (element.hidden) return;
    element.hidden = true;
    back?.focus();
  }
  const ask = (button, agreed) => {
    [then, back, element.hidden] = [agreed, button, false];
    keep.focus();
  };
  return { element, ask, close };
}
