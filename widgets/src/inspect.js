/** The inspect tab: Netron in a frame, on the network as PyTorch exports it; what is selected there is selected here. */

import css from "./inspect.css";
import { h, watch } from "./dom.js";
import { dress } from "./theme.js";
import { netronIn } from "./netron.js";

const NOWHERE =
  "Netron is not shown here: it needs splitlab in the Jupyter server that serves this page. " +
  "Open the notebook in JupyterLab, or Voila as a part of Jupyter's server; everything else works.";
const WAITING = "Preparing the network…";
const READY = "Every operation that PyTorch runs. Click one for its details.";
const LOADING = "Netron is reading the network…";

export default { render };

/** @param {import("./types.js").View} view */
function render(view) {
  const { model, el, signal } = view;
  const say = h("p", { class: "sl-say sl-soft", role: "status", "aria-live": "polite" });
  const link = h("a", { target: "_blank", rel: "noopener", hidden: true }, "Open in a new tab");
  const room = h("div", { class: "sl-room" });
  const top = h("div", { class: "sl-top" }, say, link);
  const state = { base: undefined, seen: false, shown: "", asked: false, netron: null };
  el.replaceChildren(top, room);
  dress(view, "inspect", css, (dark) => state.netron?.dark(dark));

  /** Show what there is to show, once it is known where from and somebody looks. */
  function update() {
    const id = model.get("model");
    room.hidden = state.base === null;
    if (state.base === null) return tell(NOWHERE);
    if (id !== state.shown) replace(id);
    if (id) return;
    const notice = model.get("notice");
    tell(notice || (state.asked ? WAITING : ""));
    if (state.base && state.seen && !state.asked && !notice) {
      state.asked = true;
      model.send({ type: "open" });
      tell(WAITING);
    }
  }

  /** Another network, or none. */
  function replace(id) {
    state.netron?.close();
    state.netron = null;
    room.replaceChildren();
    if (id && (!state.base || !state.seen)) return;
    state.shown = id;
    state.asked = false;
    link.hidden = !id;
    if (!id) return;
    const address = `${state.base}splitlab/netron/${id}/`;
    link.href = address;
    const title = `Netron: ${model.get("name")}, drawn as a graph`;
    const frame = h("iframe", { src: address, title, sandbox: "allow-scripts allow-same-origin allow-downloads" });
    room.append(frame);
    tell(LOADING);
    state.netron = netronIn(frame, { ready, picked, failed: tell });
    state.netron.dark(el.dataset.theme === "dark");
  }

  function ready() {
    tell(model.get("notice") || READY);
    select();
  }

  function picked(name) {
    if (name === model.get("selected")) return;
    model.set("selected", name);
    model.save_changes();
  }

  const select = () => state.netron?.select(model.get("selected"));
  const tell = (text) => say.textContent === text || (say.textContent = text);

  watch(model, signal, ["model", "notice", "name"], update);
  watch(model, signal, "selected", select);
  whenSeen(el, signal, () => {
    state.seen = true;
    update();
  });
  probe(signal).then((base) => {
    if (signal.aborted) return;
    state.base = base;
    const found = base === null ? "no" : "yes";
    if (model.get("available") !== found) {
      model.set("available", found);
      model.save_changes();
    }
    update();
  });
  signal.addEventListener("abort", () => state.netron?.close());
}

/** Where the server extension answers, or null where it does not. */
async function probe(signal) {
  try {
    const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);
    const base = new URL(config.baseUrl ?? "/", location.href).href;
    const answer = await fetch(`${base}splitlab/doctor?format=json`, { signal, headers: { Accept: "application/json" } });
    return answer.ok && (await answer.json()).splitlab ? base : null;
  } catch {
    return null;
  }
}

/** Call once the element is on the screen: a hidden tab asks for nothing. */
function whenSeen(el, signal, callback) {
  if (!globalThis.IntersectionObserver) return queueMicrotask(callback);
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    callback();
  });
  observer.observe(el);
  signal.addEventListener("abort", () => observer.disconnect());
}
