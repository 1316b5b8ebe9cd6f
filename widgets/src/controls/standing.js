/** Where the run stands: its state in words, how far it is, what went wrong, and a voice for those who do not see it. */

import { h } from "../dom.js";
import { clock, number, percent } from "../format.js";
import { copyButton } from "./copying.js";
import { icon } from "./icons.js";

const STATES = {
  idle: ["circle", "Ready to start"],
  starting: ["half", "Starting the kernels"],
  training: ["disc", "Training"],
  paused: ["pause", "Paused"],
  stopping: ["half", "Stopping"],
  finished: ["tick", "Finished"],
  stopped: ["stop", "Stopped"],
  failed: ["cross", "Failed"],
  resetting: ["half", "Resetting"],
  closed: ["stop", "Closed"],
};

/**
 * @returns {{element: HTMLElement, news: HTMLElement[], update: (state: string, status: any) => void}} `news` come and
 *   go: whoever asks puts them where they move nothing
 */
export function standing() {
  const word = h("strong", { class: "sl-state" });
  const figures = h("span", { class: "sl-figures" });
  const done = h("div");
  const progress = h("div", { class: "sl-progress", role: "progressbar", "aria-label": "Progress of the run" }, done);
  const notice = h("p", { class: "sl-notice" });
  const trouble = problem();
  const voice = h("div", { class: "sl-unseen", role: "status", "aria-live": "polite" });
  const status = h("div", { class: "sl-status" }, word, figures);
  const element = h("div", { class: "sl-standing" }, status, progress, voice);
  let shown = null;

  function update(state, status) {
    const [name, words] = STATES[state] ?? ["circle", state];
    if (shown !== state) word.replaceChildren(icon(name), words);
    element.dataset.state = shown = state;
    figures.replaceChildren(...told(state, status).map((text) => h("span", {}, text)));
    const part = status.steps ? Math.min(1, status.step / status.steps) : 0;
    done.style.width = `${part * 100}%`;
    progress.setAttribute("aria-valuenow", String(Math.round(part * 100)));
    if (notice.textContent !== (status.notice ?? "")) notice.textContent = status.notice ?? "";
    trouble.update(status);
    speak(voice, state, words, status);
  }
  return { element, news: [notice, trouble.element], update };
}

/** What is known, in the order in which it is asked for. */
function told(state, { epoch, epochs, step, steps, seconds, seconds_left: left, loss, accuracy }) {
  const known = (value) => value !== null && value !== undefined;
  return [
    epochs && epoch && `epoch ${epoch} of ${epochs}`,
    steps && step && `step ${step.toLocaleString("en")} of ${steps.toLocaleString("en")}`,
    state === "training" && known(left) && `${clock(left)} left`,
    state !== "training" && seconds > 0 && `${clock(seconds)} so far`,
    known(loss) && `loss ${number(loss)}`,
    known(accuracy) && `held-out accuracy ${percent(accuracy)}`,
  ].filter(Boolean);
}

/** The last error: its first sentence, the whole of it on demand. */
function problem() {
  const sentence = h("p", { class: "sl-bad" });
  const whole = h("pre", { tabindex: 0 });
  const copy = copyButton("Copy traceback", () => whole.textContent);
  const details = h("details", {}, h("summary", {}, "Full text"), whole);
  const element = h("div", { class: "sl-error", hidden: true }, sentence, h("div", { class: "sl-row" }, copy, details));
  const update = ({ error, traceback }) => {
    element.hidden = !error;
    if (!error || whole.textContent === (traceback || error)) return;
    sentence.textContent = error.split("\n")[0];
    whole.textContent = traceback || error;
  };
  return { element, update };
}

/** Says changes of state, epochs, notices and errors; not every step. */
function speak(voice, state, words, { epoch, epochs, notice, error }) {
  const where = state === "training" && epoch ? `, epoch ${epoch} of ${epochs}` : "";
  const text = [`${words}${where}.`, notice, error?.split("\n")[0]].filter(Boolean).join(" ");
  if (voice.textContent !== text) voice.textContent = text;
}
