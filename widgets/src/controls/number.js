/** A number as a box and, where a usual span is known, a slider. Nothing is sent while the slider moves. */

import { h } from "../dom.js";

/**
 * The places at which a slider stops: every whole number, powers of two, or 1, 2, 5, 10, … of small fractions.
 * @param {[number, number]} span @param {boolean} whole @returns {number[]}
 */
export function stops([least, most], whole) {
  const found = [];
  if (whole && most - least < 100) {
    for (let value = least; value <= most; value++) found.push(value);
  } else if (whole) {
    for (let value = 1; value <= most; value *= 2) if (value >= least) found.push(value);
  } else {
    for (let power = Math.floor(Math.log10(least)); power <= Math.log10(most); power++)
      for (const digit of [1, 2, 5]) found.push(Number(`${digit}e${power}`));
  }
  return found.filter((value) => value >= least && value <= most);
}

/** @param {number[]} places @param {number} value @returns {number} the place nearest to a value, by ratio */
export function nearest(places, value) {
  const distance = (place) => Math.abs(Math.log(place / Math.max(value, 1e-12)));
  return places.reduce((best, place, index) => (distance(place) < distance(places[best]) ? index : best), 0);
}

/** @type {import("./field.js").Maker} */
export function numberControl(field, id, send) {
  const box = h("input", { id, type: "number", step: field.whole ? 1 : "any", placeholder: field.optional ? field.none : "" });
  const places = field.span.length ? stops(field.span, field.whole) : [];
  const slider = places.length && !field.slim
    ? h("input", { type: "range", min: 0, max: places.length - 1, step: 1, "aria-label": `${field.label}, slider` })
    : null;
  const follow = (value) => {
    if (!slider) return;
    slider.value = String(value === null ? Math.floor(places.length / 2) : nearest(places, value));
    slider.classList.toggle("sl-none", value === null);
    slider.setAttribute("aria-valuetext", value === null ? field.none : String(value));
  };
  slider?.addEventListener("input", () => {
    box.value = String(places[slider.value]);
    follow(places[slider.value]);
  });
  slider?.addEventListener("change", () => send(places[slider.value]));
  box.addEventListener("change", () => {
    if (box.validity.badInput) return send(null, "Expected a number.");
    send(box.value === "" ? null : Number(box.value));
  });
  if (places.length && !field.whole) box.addEventListener("keydown", (event) => step(event, box, places, follow));
  return {
    element: h("div", { class: "sl-number" }, slider, box),
    input: box,
    text: () => box.value,
    show(value) {
      box.value = value ?? "";
      follow(Number.isFinite(value) ? value : null);
    },
  };
}

/** Arrow keys go from place to place: steps of 1 make no sense for a learning rate. */
function step(event, box, places, follow) {
  const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (!direction) return;
  event.preventDefault();
  const here = box.value === "" ? Math.floor(places.length / 2) : nearest(places, Number(box.value)) + direction;
  box.value = String(places[Math.min(places.length - 1, Math.max(0, here))]);
  follow(Number(box.value));
}
