/** Small pictures drawn as paths, so that no font decides what they look like. */

import { s } from "../dom.js";

const PATHS = {
  start: "M4 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  resume: "M3 3h2.5v10H3zM7 3l7 5-7 5z",
  stop: "M3.5 3.5h9v9h-9z",
  reset: "M8 2.5a5.5 5.5 0 1 0 5.3 7h-1.7A4 4 0 1 1 8 4c1 0 1.9.4 2.6 1L8.800 6.800H14V1.600l-2.300 2.300A5.500 5.500 0 0 0 8 2.500z",
  circle: "M8 3.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zm0 1.500a3 3 0 1 1 0 6 3 3 0 0 1 0-6z",
  disc: "M8 3.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9z",
  half: "M8 3.500a4.500 4.500 0 1 0 0 9zm0 0a4.500 4.500 0 0 1 0 9v-1.500a3 3 0 0 0 0-6z",
  tick: "M3 8.500l1.400-1.400L6.800 9.500l5-5.200 1.400 1.400-6.400 6.600z",
  cross: "M3.500 4.900L4.900 3.500 8 6.600l3.100-3.100 1.400 1.400L9.400 8l3.100 3.100-1.400 1.400L8 9.400l-3.100 3.100-1.400-1.400L6.600 8z",
};

/** @param {keyof typeof PATHS} name @returns {SVGElement} hidden from screen readers: words stand beside it */
export const icon = (name) =>
  s("svg", { class: "sl-icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d: PATHS[name] }));
