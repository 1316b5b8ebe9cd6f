/**
 * Talks with Netron in a frame of the same origin: what is selected, which node to select, light or dark.
 *
 * Netron has no interface for this, so it reaches into Netron's own view, and every step of that may find nothing:
 * then Netron still shows the network, and only the link between the two selections is missing.
 */

const LOOK = 150; // milliseconds between two looks whether Netron is ready
const PATIENCE = 60_000; // milliseconds for a large network
const DARK = /\(prefers-color-scheme:\s*dark\)/;

/**
 * @param {HTMLIFrameElement} frame
 * @param {{ready: () => void, picked: (name: string) => void, failed: (text: string) => void}} on
 */
export function netronIn(frame, on) {
  const state = { target: null, ours: false, dark: undefined, began: Date.now(), ended: false };
  const timer = setInterval(look, LOOK);
  const rules = new WeakMap(); // media rules of Netron's that were meant for the dark

  const within = (read) => {
    try {
      return read(frame.contentWindow) ?? null;
    } catch {
      return null; // another origin, or not loaded yet
    }
  };

  function look() {
    paint();
    const target = within((window) => window.__view__?.target);
    if (target && target !== state.target) attach(target);
    if (state.target || state.ended) return;
    const refusal = within((window) => window.document?.contentType === "text/plain" && window.document.body.textContent);
    if (refusal || Date.now() - state.began > PATIENCE) {
      state.ended = true;
      on.failed(refusal || "Netron does not answer. Reload the page, or open it in a new tab.");
    }
  }

  /** Netron draws anew when a part of the network is opened: then it has another target. */
  function attach(target) {
    const first = !state.target;
    state.target = target;
    try {
      target.on("selectionchange", changed);
    } catch {
      // this Netron has no such event
    }
    if (first) on.ready();
  }

  function changed() {
    if (state.ours) return;
    const names = within(() => [...state.target.selection].map(({ value }) => operation(value)).filter(Boolean));
    if (names?.length) on.picked(names[0]);
  }

  /** Netron has media queries only, which ask the system rather than the page around it: answer in their place. */
  function paint() {
    if (state.dark === undefined) return;
    for (const sheet of within((window) => [...window.document.styleSheets]) ?? []) {
      for (const rule of within(() => [...sheet.cssRules]) ?? []) {
        if (!rule.media) continue;
        if (DARK.test(rule.media.mediaText)) rules.set(rule, true);
        const wanted = state.dark ? "all" : "not all";
        if (rules.has(rule) && rule.media.mediaText !== wanted) rule.media.mediaText = wanted;
      }
    }
  }

  return {
    /** Select a node by its name in the graph, and bring it into view. */
    select(name) {
      const target = state.target;
      if (!target || !name) return;
      within(() => {
        if ([...target.selection].some(({ value }) => operation(value) === name)) return;
        const node = [...target._table.keys()].filter((value) => operation(value) === name).at(-1);
        if (!node) return;
        state.ours = true;
        target.scrollTo(target.select([node]), "instant");
      });
      state.ours = false;
    },
    dark(dark) {
      state.dark = dark;
      frame.style.colorScheme = dark ? "dark" : "light";
      paint();
    },
    close() {
      clearInterval(timer);
      within(() => state.target?.off("selectionchange", changed));
    },
  };
}

/**
 * The operation of our graph that a node belongs to, which may be several of PyTorch's. Its name stands where a stack
 * trace would (see splitlab/widgets/inspect.py), because Netron changes a node's own name.
 */
const operation = (value) => value?.metadata?.find?.(({ name }) => name === "stack_trace")?.value;
