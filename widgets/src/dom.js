/** Makes elements: the few lines that every widget would otherwise write for itself. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element. Attributes whose value is a function are listeners (`{click: …}`), `null`, `undefined` and `false`
 * are left out, `true` stands for an attribute without a value; children are elements or text.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * The same for SVG.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {SVGElement}
 */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** @template {Element} E @param {E} element @returns {E} */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map(asNode));
  return element;
}

/** @param {Node | string | number} child */
const asNode = (child) => (child instanceof Node ? child : String(child));

/**
 * Put a style sheet into the root (document or shadow root) that an element stands in, once.
 * @param {Element} element
 * @param {string} name
 * @param {string} css
 */
export function style(element, name, css) {
  const root = element.getRootNode();
  const home = root instanceof ShadowRoot ? root : document.head;
  if (!home.querySelector(`style[data-splitlab="${name}"]`)) home.append(h("style", { "data-splitlab": name }, css));
}

/**
 * Call back when a trait changes, until the view is gone.
 * @param {import("./types.js").Model} model
 * @param {AbortSignal} signal
 * @param {string | string[]} names
 * @param {() => void} callback
 */
export function watch(model, signal, names, callback) {
  for (const name of [names].flat()) {
    model.on(`change:${name}`, callback);
    signal.addEventListener("abort", () => model.off(`change:${name}`, callback));
  }
}

/**
 * Call back on custom messages from Python, until the view is gone.
 * @param {import("./types.js").Model} model
 * @param {AbortSignal} signal
 * @param {(message: any, buffers: DataView[]) => void} callback
 */
export function listen(model, signal, callback) {
  model.on("msg:custom", callback);
  signal.addEventListener("abort", () => model.off("msg:custom", callback));
}
