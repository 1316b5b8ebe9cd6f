/** Says in words what each chart shows: its text alternative, and the lines of what is pointed at. */

import { bytes, number, percent, seconds } from "../format.js";

const micro = (value) => seconds(value / 1e6);
const capital = (word) => word[0].toUpperCase() + word.slice(1);
const client = (point) => (point.client === "mean" ? "mean" : `client ${point.client}`);
const spread = (point, write) => (point.high > point.low ? ` (${write(point.low)} to ${write(point.high)})` : "");
const clients = (now) => `${now.clients} client${now.clients === 1 ? "" : "s"}`;
const plural = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

/**
 * What a chart's points are called and how their values read: `series` names the line of a point, `value` its figure,
 * `now` what can be said of a run at this moment.
 * @type {Record<string, {series: (point: any, names: any) => string, value: (point: any) => string,
 *   now: (now: any) => string, wait: string}>}
 */
export const CHARTS = {
  accuracy: {
    series: client,
    value: (point) => percent(point.value) + spread(point, percent),
    now: (now) => `${percent(now.accuracy)} after ${plural(now.epochs, "epoch")}, ${clients(now)}`,
    known: (now) => now.accuracy !== null,
    wait: "The first comes after the first epoch",
  },
  loss: {
    series: () => "mean",
    value: (point) => number(point.value) + spread(point, number),
    now: (now) => `${number(now.loss)} now, ${clients(now)}`,
    known: (now) => now.loss !== null,
    wait: "Waiting for the first step",
  },
  bytes: {
    series: (point) => point.way,
    value: (point) => bytes(point.total),
    now: (now) => `${bytes(now.total)} so far`,
    known: (now) => now.bytes !== null,
    wait: "Waiting for the first step",
  },
  step_bytes: {
    series: (point) => point.way,
    value: (point) => `${bytes(point.step_bytes)}, ${bytes(point.sample_bytes)} a sample`,
    now: (now) => `${bytes(now.bytes)} for each sample now`,
    known: (now) => now.bytes !== null,
    wait: "Waiting for the first step",
  },
  time: {
    series: (point, names) => names[point.part] ?? "whole step",
    value: (point) => micro(point.microseconds),
    now: (now) => `${seconds(now.seconds)} for each sample now`,
    known: (now) => now.seconds !== null,
    wait: "Waiting for the first step",
  },
  memory: {
    series: client,
    value: (point) => bytes(point.value),
    now: (now) => `${bytes(now.memory)} at most`,
    known: (now) => now.memory !== null,
    wait: "Waiting for the first step",
  },
};

/**
 * One sentence for a chart.
 * @param {{name: string, title: string}} chart
 * @param {{label: string, old: boolean, now?: any}[]} runs that are shown
 * @param {{what: string, seconds: number}[]} marks of the newest
 */
export function sentence(chart, runs, marks) {
  const words = CHARTS[chart.name];
  if (!words) return chart.title;
  const known = runs.filter((run) => run.now && words.known(run.now));
  if (!known.length) return `${chart.title}: no points yet`;
  const said = known.map((run) => (known.length > 1 ? `${run.label}: ` : "") + words.now(run.now));
  const changes = marks.map((mark) => `${mark.what} at ${clock(mark.seconds)}`);
  return [`${chart.title}: ${said.reverse().join("; ")}`, ...changes].join("; ");
}

/** @param {number} value seconds @returns {string} e.g. 12.3 s */
export const clock = (value) => `${value.toFixed(1)} s`;

/** @param {string} name of a column @returns {string} */
export const title = (name) => capital(name.replaceAll("_", " "));
