/** Zooms and moves the stage: scroll bars, touch and keys are the browser's own; Ctrl and the wheel, and pinching, zoom. */

const LEAST = 0.1;
const MOST = 2.5;
const DRAG = 4; // pixels before a press is a drag

/**
 * @param {HTMLElement} stage that scrolls
 * @param {AbortSignal} signal
 * @param {(zoom: number) => void} apply draws at a new zoom
 */
export function zoomable(stage, signal, apply) {
  let zoom = 1;
  const set = (next, x = stage.clientWidth / 2, y = stage.clientHeight / 2) => {
    const wanted = Math.min(Math.max(next, LEAST), MOST);
    const [left, top, ratio] = [stage.scrollLeft + x, stage.scrollTop + y, wanted / zoom];
    zoom = wanted;
    apply(zoom);
    stage.scrollLeft = left * ratio - x;
    stage.scrollTop = top * ratio - y;
  };
  const at = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const wheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the notebook scrolls
    event.preventDefault();
    set(zoom * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), ...at(event));
  };
  stage.addEventListener("wheel", wheel, { passive: false, signal });
  pinch(stage, signal, () => zoom, set);
  return { set, get: () => zoom, dragged: drag(stage, signal) };
}

/** Two fingers: the distance between them is the zoom. */
function pinch(stage, signal, get, set) {
  let begun = null;
  const spread = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  const start = (event) => (begun = event.touches.length === 2 ? { spread: spread(event.touches), zoom: get() } : null);
  const move = (event) => {
    if (!begun || event.touches.length !== 2) return;
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    const middle = (axis) => (event.touches[0][axis] + event.touches[1][axis]) / 2;
    set((begun.zoom * spread(event.touches)) / begun.spread, middle("clientX") - box.left, middle("clientY") - box.top);
  };
  stage.addEventListener("touchstart", start, { passive: true, signal });
  stage.addEventListener("touchmove", move, { passive: false, signal });
}

/** The mouse drags the stage; returns whether the click that just came was the end of a drag. */
function drag(stage, signal) {
  let from = null;
  let moved = false;
  const down = (event) => {
    moved = false;
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    from = { x: event.clientX, y: event.clientY, left: stage.scrollLeft, top: stage.scrollTop };
  };
  const move = (event) => {
    if (!from) return;
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    if (!moved && Math.hypot(x, y) < DRAG) return;
    moved = true;
    stage.classList.add("sl-dragging");
    stage.scrollLeft = from.left - x;
    stage.scrollTop = from.top - y;
  };
  const up = () => {
    from = null;
    stage.classList.remove("sl-dragging");
  };
  stage.addEventListener("pointerdown", down, { signal });
  window.addEventListener("pointermove", move, { signal });
  window.addEventListener("pointerup", up, { signal });
  window.addEventListener("pointercancel", up, { signal });
  return () => moved;
}
