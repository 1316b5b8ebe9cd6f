/** Keeps the points of every run by table, as Python told them, and says what changed. */

/** Raw rows are only a window: they would grow without end. */
export const ROWS = 5000;

export class Store {
  /** table → run → id → point */
  #tables = new Map();

  /**
   * Take in what changed.
   * @param {{run: number, table: string, anew: boolean, columns: string[], rows: any[][]}[]} news
   * @returns {{table: string, run: number, ids: string[] | null}[]} what changed; null: everything of that run
   */
  take(news) {
    return news.map(({ run, table, anew, columns, rows }) => {
      const points = this.#points(table, run, anew);
      const ids = rows.map((row) => {
        const point = Object.fromEntries(columns.map((column, index) => [column, row[index]]));
        points.set(point.id, point);
        return point.id;
      });
      const dropped = table === "rows" ? this.#trim(points) : [];
      return { table, run, ids: anew ? null : [...ids, ...dropped] };
    });
  }

  #points(table, run, anew) {
    if (!this.#tables.has(table)) this.#tables.set(table, new Map());
    const runs = this.#tables.get(table);
    if (anew || !runs.has(run)) runs.set(run, new Map());
    return runs.get(run);
  }

  #trim(points) {
    const dropped = [...points.keys()].slice(0, Math.max(0, points.size - ROWS));
    dropped.forEach((id) => points.delete(id));
    return dropped;
  }

  /** @param {string} table @param {number} run @param {string} id @returns {any} the point, if it is still there */
  get = (table, run, id) => this.#tables.get(table)?.get(run)?.get(id);

  /** @param {string} table @param {number} run @returns {any[]} the points in the order in which they came */
  all = (table, run) => [...(this.#tables.get(table)?.get(run)?.values() ?? [])];

  /** @returns {string[]} tables that have ever had a point */
  get tables() {
    return [...this.#tables.keys()];
  }

  /** Forget runs that are no longer there. @param {Set<number>} runs that are */
  keep(runs) {
    for (const table of this.#tables.values())
      for (const run of [...table.keys()]) if (!runs.has(run)) table.delete(run);
  }
}
