/** Keeps only those pieces of a picture in the page that are in sight: a deep network has thousands. */

/**
 * A layer whose pieces come and go.
 * @template T
 * @param {Element} layer
 * @param {T[]} items
 * @param {(item: T) => Element | null} make
 */
export function windowed(layer, items, make) {
  const shown = new Map();
  /** Have exactly these pieces; returns whether one is new. @param {(item: T) => boolean} wanted */
  function show(wanted) {
    let added = false;
    items.forEach((item, index) => {
      const want = wanted(item);
      if (want === shown.has(index)) return;
      if (want) {
        const piece = make(item);
        if (piece) layer.append(piece);
        shown.set(index, piece);
        added = true;
      } else {
        shown.get(index)?.remove();
        shown.delete(index);
      }
    });
    return added;
  }
  return { show };
}
