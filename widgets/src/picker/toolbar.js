/** What stands above the stage: switches, the legend, the best cuts, and the sentence of what is chosen. */

import { bytes, seconds } from "../format.js";
import { h } from "../dom.js";
import { BEST, COLUMNS } from "./strip.js";
import * as words from "./words.js";

const HINT = "Click between two boxes to cut the network there. Ctrl and the wheel zoom.";

/** @param {Record<string, Function>} acts what the buttons do */
export function toolbar(acts) {
  const uShape = h("input", { type: "checkbox", change: () => acts.uShape(uShape.checked) });
  const places = { cut: "first cut", tail: "second cut (tail)" };
  const target = h("select", { class: "sl-target", "aria-label": "The next click sets", change: () => acts.target(target.value) });
  target.append(...Object.entries(places).map(([value, text]) => h("option", { value }, text)));
  const metric = h("select", { class: "sl-metric", "aria-label": "What the strip shows", change: () => acts.metric(metric.value) });
  const best = h("span", { class: "sl-bests" });
  const folds = h("span", { class: "sl-group" }, button("Unfold all", () => acts.fold(true)), button("Fold", () => acts.fold(undefined)));
  const sizes = [["−", "Zoom out", () => acts.zoom(0.8)], ["Fit", "Fit the whole graph", acts.fit], ["+", "Zoom in", () => acts.zoom(1.25)]];
  const zooms = h("span", { class: "sl-group" }, ...sizes.map(([text, label, act]) => button(text, act, label)));
  const ushape = h("label", { class: "sl-switch", title: "The last part of the network is on the client again, so that labels never leave it" }, uShape, "U-shape");
  const nextClick = h("label", { class: "sl-next" }, "next click: ", target);
  const element = h("div", { class: "sl-tools" }, legend(), best, h("span", { class: "sl-gap" }), h("span", { class: "sl-pair" }, ushape, nextClick), folds, zooms);
  const lines = { chosen: h("div", { class: "sl-chosen" }), looked: h("div", { class: "sl-looked sl-soft" }) };
  const readout = h("div", { class: "sl-readout" }, lines.chosen, lines.looked);
  const live = h("div", { class: "sl-unseen", "aria-live": "polite" });

  /** Show what is chosen, what is looked at, and what else there is to say. */
  function tell(choice, { notice, measured, offer, said }) {
    const sentence = [words.chosen(choice), words.measured(measured ?? {})].filter(Boolean).join(" ");
    lines.chosen.textContent = sentence;
    const isChosen = offer && [choice.cut, choice.tail].some((index) => choice.offers[index]?.name === offer.name);
    const looked = said || (offer && !isChosen && words.offered(offer, choice.placing, choice.locked)) || notice;
    lines.looked.textContent = looked || (choice.locked ? "A run is on: stop it to move the cut." : HINT);
    lines.looked.classList.toggle("sl-notice", Boolean(said || (!offer && notice)));
    const aloud = [notice, said, sentence].filter(Boolean).join(" ");
    if (live.textContent !== aloud) live.textContent = aloud;
    uShape.checked = choice.uShaped;
    uShape.disabled = choice.locked;
    target.value = choice.placing;
    target.disabled = choice.locked;
    nextClick.classList.toggle("sl-unused", !choice.uShaped);
    folds.hidden = !choice.drawing.blocks.length;
    element.parentElement?.classList.toggle("sl-locked", choice.locked);
    praise(choice);
    ask(choice);
  }

  /** The best cuts as buttons: they may be far from where one looks. */
  function praise({ best: found, placing, locked }) {
    const shown = { bytes: (offer) => bytes(offer.bytes), seconds: (offer) => seconds(offer.seconds) };
    const one = ([key, offer]) => {
      const click = () => acts.take(offer.name, placing === "tail");
      const text = [h("span", { class: "sl-star" }, "★ "), `${BEST[key]}: `, h("b", {}, words.short(offer.name, 24)), ` ${shown[key](offer)}`];
      return h("button", { type: "button", class: "sl-best-button", disabled: locked, title: `Cut after ${offer.name}`, click }, ...text);
    };
    best.replaceChildren(...Object.entries(found).filter(([, offer]) => offer).map(one));
  }

  function ask({ offers }) {
    const told = COLUMNS.filter(({ key }) => offers.some((offer) => Number.isFinite(offer[key]) && offer[key] !== null));
    if (metric.children.length === told.length) return;
    const chosen = metric.value;
    metric.replaceChildren(...told.map(({ key, title }) => h("option", { value: key }, title)));
    if (chosen) metric.value = chosen;
  }

  return { element, readout, live, metric, tell };
}

const button = (text, click, label) => h("button", { type: "button", click, "aria-label": label, title: label }, text);

const legend = () =>
  h(
    "span",
    { class: "sl-legend" },
    h("span", { class: "sl-key sl-on-client" }, "client"),
    h("span", { class: "sl-key sl-on-server" }, "server"),
  );
