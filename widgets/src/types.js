/** Types that JSDoc comments refer to; nothing of this file reaches the bundle. */

/**
 * What anywidget hands to a front end: traits, their changes, and messages.
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: any) => void} set
 * @property {() => void} save_changes
 * @property {(event: string, callback: Function) => void} on
 * @property {(event: string, callback?: Function) => void} off
 * @property {(content: any, callbacks?: any, buffers?: any[]) => void} send
 */

/**
 * What `render` gets.
 * @typedef {object} View
 * @property {Model} model
 * @property {HTMLElement} el
 * @property {AbortSignal} signal
 */

export {};
