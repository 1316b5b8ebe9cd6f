/** Puts text on the clipboard; where the page may not, shows it selected, so that one key copies it. */

import { h } from "../dom.js";

/**
 * A button that copies. The words "copied" stand beside it for a moment.
 * @param {string} name of the button
 * @param {() => string} text asked when it is pressed
 * @returns {HTMLElement}
 */
export function copyButton(name, text) {
  const told = h("span", { class: "sl-told", role: "status" });
  const home = h("span", { class: "sl-copying" }, h("button", { type: "button", click: copy }, name), told);
  async function copy() {
    home.querySelector("textarea")?.remove();
    const done = await write(text());
    told.textContent = done ? "copied" : "press Ctrl+C to copy";
    if (!done) show(home, text());
    setTimeout(() => (told.textContent = ""), done ? 2000 : 10000);
  }
  return home;
}

/** @param {string} text @returns {Promise<boolean>} */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // not allowed here: a page without https, or a frame
  }
}

function show(home, text) {
  const area = h("textarea", { readonly: true, rows: 2, "aria-label": "Text to copy" });
  area.value = text;
  area.addEventListener("blur", () => area.remove());
  home.append(area);
  area.focus();
  area.select();
}
