/** What the keys do while the stage has the focus. */

/**
 * Each key and what it does, on the actions of the picker: also the text of the help.
 * @type {Record<string, (actions: any, event: KeyboardEvent) => void>}
 */
export const KEYS = {
  ArrowDown: (actions, event) => actions.move(1, event.shiftKey),
  ArrowUp: (actions, event) => actions.move(-1, event.shiftKey),
  ArrowRight: (actions) => actions.fold(true),
  ArrowLeft: (actions) => actions.fold(false),
  Home: (actions) => actions.move(-Infinity, false),
  End: (actions) => actions.move(Infinity, false),
  Enter: (actions, event) => actions.choose(event.shiftKey),
  " ": (actions, event) => actions.choose(event.shiftKey),
  t: (actions) => actions.choose(true),
  T: (actions) => actions.choose(true),
  "+": (actions) => actions.zoom(1.25),
  "=": (actions) => actions.zoom(1.25),
  "-": (actions) => actions.zoom(0.8),
  0: (actions) => actions.fit(),
  Escape: (actions) => actions.reset(),
};

export const HELP =
  "Arrow up and down go from cut to cut, with Shift also to those that cannot be chosen. Enter cuts, T sets where the " +
  "tail begins. Arrow right unfolds a block, arrow left folds it. Plus, minus and 0 zoom.";

/** @param {HTMLElement} stage @param {AbortSignal} signal @param {any} actions */
export function keyboard(stage, signal, actions) {
  const press = (event) => {
    const act = KEYS[event.key];
    if (!act || event.target !== stage || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // or the notebook would take it for a command of its own
    act(actions, event);
  };
  stage.addEventListener("keydown", press, { signal });
}
