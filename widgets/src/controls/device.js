/** One device as a row (or, where there is little room, a card): what it is, how it is, and what can be done to it. */

import { h } from "../dom.js";
import { bytes } from "../format.js";
import { copyButton } from "./copying.js";
import { icon } from "./icons.js";

const STATES = {
  starting: ["half", "starting"],
  ready: ["circle", "ready"],
  joined: ["circle", "joined"],
  running: ["disc", "running"],
  training: ["disc", "training"],
  paused: ["pause", "paused"],
  done: ["tick", "done"],
  finished: ["tick", "finished"],
  stopped: ["stop", "stopped"],
  cancelled: ["stop", "ended"],
  killed: ["stop", "killed"],
  failed: ["cross", "failed"],
  lost: ["cross", "lost"],
  dead: ["cross", "dead"],
};
const AT_WORK = ["starting", "ready", "joined", "running", "training", "paused"];
const GONE = ["dead", "killed", "lost", "failed"];
const REMEDIES = {
  client: {
    dead: "Its kernel is dead; the others go on. Restart gives it a new one, and it goes on with the next round.",
    killed: "It was shut down by hand; the others go on. Restart brings it back with the next round.",
    lost: "It has left the run; the others go on. Restart brings it back with the next round.",
    failed: "It has failed; the others go on. Restart brings it back with the next round.",
  },
  server: Object.fromEntries(GONE.map((state) => [state, "Without a server the run is over: press Start for another."])),
};
const QUESTIONS = {
  kill: (name) => `Kill the kernel of ${name}? ${name === "server" ? "The run ends." : "The others go on without it."}`,
  restart: (name) => `Restart the kernel of ${name}? It goes on with the next round.`,
};
const NO_RESTART = "The server holds what the run has learnt: it cannot be restarted, only the whole run.";

/**
 * @param {string} name
 * @param {boolean} lab whether a console can be opened here
 * @param {(message: object) => void} say
 */
export function deviceRow(name, lab, say) {
  const cells = Object.fromEntries(
    ["name", "state", "machine", "seen", "up", "down", "step", "memory"].map((key) => [
      key,
      h("span", { role: "cell", class: `sl-${key}` }),
    ]),
  );
  const told = below();
  const ask = question(name, say);
  const verbs = ["kill", "restart"].map((what) => verb(what, name, () => ask.ask(what, AT_WORK.includes(state))));
  const terminal = verb("console", name, () => say({ type: "console", name }));
  terminal.title = "Open a console on this kernel";
  const more = h("button", { type: "button", class: "sl-more", "aria-expanded": "false", click: unfold }, "Details");
  more.setAttribute("aria-label", `Details of ${name}`);
  const actions = h("span", { role: "cell", class: "sl-actions" }, ...verbs, lab && terminal, more);
  const row = h("div", { class: "sl-row", role: "row" }, ...Object.values(cells), actions);
  const under = h("div", { role: "row" }, h("div", { role: "cell" }, ask.element, told.element));
  const element = h("div", { class: "sl-device", role: "presentation", "data-name": name }, row, under);
  let state = "";

  function unfold() {
    const open = more.getAttribute("aria-expanded") !== "true";
    more.setAttribute("aria-expanded", String(open));
    told.unfold(open);
  }
  function update(machine, recorded) {
    state = machine.state;
    const [picture, word] = STATES[state] ?? ["circle", state];
    fill(cells.name, h("strong", {}, name), h("small", { title: machine.place }, machine.place || machine.role));
    fill(cells.state, h("span", {}, icon(picture), word));
    fill(cells.machine, ...facts(machine.facts ?? {}).map((text) => h("small", {}, text)));
    [element.dataset.state, element.dataset.role] = [state, machine.role];
    for (const button of [...verbs, terminal]) button.hidden = recorded;
    verbs[0].disabled = !AT_WORK.includes(state);
    verbs[1].disabled = machine.role === "server" || ![...AT_WORK, ...GONE].includes(state);
    verbs[1].title = machine.role === "server" ? NO_RESTART : "";
    terminal.disabled = !AT_WORK.includes(state);
    if (!AT_WORK.includes(state)) ask.close();
    told.update(machine);
  }
  function count([seen, up, down, epoch, step, memory]) {
    const known = (value, words) => (value === null || value === undefined ? "–" : words(value));
    const texts = {
      seen: known(seen, (value) => ago(Date.now() / 1000 - value)),
      up: known(up, bytes),
      down: known(down, bytes),
      step: known(step, () => `${epoch ?? 0}, ${step.toLocaleString("en")}`),
      memory: known(memory, bytes),
    };
    for (const [key, text] of Object.entries(texts)) if (cells[key].textContent !== text) cells[key].textContent = text;
  }
  function answer({ connection, problem }) {
    told.say(problem);
    if (!problem) window.dispatchEvent(new CustomEvent("splitlab:console", { detail: { name, connection } }));
  }
  return { element, update, count, answer };
}

/** Put elements into a cell, unless it shows the same already: what is read or selected is left in peace. */
function fill(cell, ...children) {
  const key = children.map((child) => child.outerHTML).join("");
  if (cell.dataset.key === key) return;
  cell.dataset.key = key;
  cell.replaceChildren(...children);
}

/** @param {number} seconds @returns {string} e.g. now, 5 s ago, 3 min ago */
export function ago(seconds) {
  if (seconds < 1.5) return "now";
  const [size, unit] = [[86400, "days"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => seconds >= size);
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

/** Two short lines about a machine. */
function facts({ host, system, cores, memory, python, torch }) {
  const size = memory && bytes(memory);
  const lines = [
    [host, system],
    [cores && `${cores} core${cores > 1 ? "s" : ""}`, size, python && `Python ${python}`, torch && `torch ${torch}`],
  ];
  const found = lines.map((line) => line.filter(Boolean).join(" · ")).filter(Boolean);
  return found.length ? found : ["not known yet"];
}

function verb(what, name, click) {
  const word = what[0].toUpperCase() + what.slice(1);
  return h("button", { type: "button", class: `sl-${what}`, "aria-label": `${word} ${name}`, click }, word);
}

/** Asks before something is done to a device that is at work. */
function question(name, say) {
  let what = "";
  let back = null;
  const words = h("span");
  const keep = h("button", { type: "button", click: close }, "Leave it");
  const yes = h("button", { type: "button", class: "sl-danger", click: agree }, "Yes, do it");
  const element = h("div", { class: "sl-question", role: "alertdialog", hidden: true }, words, yes, keep);
  element.addEventListener("keydown", (event) => event.key === "Escape" && close());
  function ask(asked, atWork) {
    what = asked;
    if (!atWork) return say({ type: what, name });
    words.textContent = QUESTIONS[what](name);
    element.setAttribute("aria-label", words.textContent);
    element.hidden = false;
    back = /** @type {any} */ (element.getRootNode()).activeElement;
    keep.focus();
  }
  function agree() {
    close();
    say({ type: what, name });
  }
  function close() {
    if (element.hidden) return;
    element.hidden = true;
    back?.focus();
  }
  return { element, ask, close };
}

/** What is under a row: what to do, the error, and on demand its text and the log. */
function below() {
  const remedy = h("p", { class: "sl-remedy", hidden: true });
  const sentence = h("p", { class: "sl-bad", hidden: true });
  const answer = h("p", { class: "sl-bad", role: "alert", hidden: true });
  const trace = h("pre", { tabindex: 0, "aria-label": "Error" });
  const log = h("pre", { tabindex: 0, "aria-label": "Log" });
  const error = h("div", {}, copyButton("Copy traceback", () => trace.textContent), trace);
  const process = h("p", { class: "sl-soft" });
  const details = h("div", { class: "sl-details", hidden: true }, error, process, log);
  const element = h("div", { class: "sl-told-below" }, answer, remedy, sentence, details);
  return {
    element,
    unfold: (open) => (details.hidden = !open),
    say: (text) => write(answer, text ?? ""),
    update({ role, state, place, error: text, process_id: id, log: lines }) {
      write(remedy, REMEDIES[role]?.[state] ?? "");
      write(sentence, text?.split("\n")[0] ?? "");
      error.hidden = !text;
      if (trace.textContent !== (text ?? "")) trace.textContent = text ?? "";
      process.textContent = [place && `Place: ${place}.`, id && `Process ${id}.`, "Log:"].filter(Boolean).join(" ");
      const shown = lines || "nothing yet";
      if (log.textContent !== shown) log.textContent = shown;
    },
  };
}

function write(element, text) {
  element.hidden = !text;
  if (element.textContent !== text) element.textContent = text;
}
