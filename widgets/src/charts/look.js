/** The look of charts, taken from the style sheet of the page, so that they follow its theme. */

/**
 * A Vega-Lite config in the colours of an element.
 * @param {HTMLElement} el
 * @returns {object}
 */
export function look(el) {
  const style = getComputedStyle(el);
  const of = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const [ink, soft, faint] = [of("--sl-ink", "#1b1f24"), of("--sl-soft", "#59636e"), of("--sl-faint", "#e1e6eb")];
  const text = { labelColor: soft, titleColor: soft, labelFontSize: 10.5, titleFontSize: 10.5, titleFontWeight: 400 };
  return {
    background: "transparent",
    font: style.fontFamily || "sans-serif",
    view: { stroke: null },
    axis: { ...text, gridColor: faint, domainColor: faint, tickColor: faint, labelOverlap: true, labelFlush: true },
    axisY: { domain: false, ticks: false, labelPadding: 6, labelFlush: false },
    axisX: { grid: false, titlePadding: 3, tickCount: 6 },
    legend: { ...text, labelColor: ink },
    title: { color: ink, subtitleColor: soft },
  };
}
