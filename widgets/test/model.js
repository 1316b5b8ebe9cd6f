/** A fake of anywidget's model: traits, changes and messages, with what was sent kept for the test to see. */

export function fakeModel(traits = {}) {
  const state = { ...traits };
  const listeners = new Map();
  const pending = new Set();
  const emit = (event, ...values) => [...(listeners.get(event) ?? [])].forEach((callback) => callback(...values));
  return {
    state,
    sent: [],
    saved: [],
    get: (name) => state[name],
    set(name, value) {
      state[name] = value;
      pending.add(name);
      emit(`change:${name}`);
    },
    save_changes() {
      this.saved.push(Object.fromEntries([...pending].map((name) => [name, state[name]])));
      pending.clear();
    },
    on: (event, callback) => listeners.set(event, [...(listeners.get(event) ?? []), callback]),
    off: (event, callback) => listeners.set(event, (listeners.get(event) ?? []).filter((one) => one !== callback)),
    send(content, callbacks, buffers) {
      this.sent.push(content);
    },
    /** Python changes a trait. */
    change(name, value) {
      state[name] = value;
      emit(`change:${name}`);
    },
    /** Python sends a message. */
    hear: (content, buffers = []) => emit("msg:custom", content, buffers),
    listening: () => [...listeners.values()].reduce((sum, callbacks) => sum + callbacks.length, 0),
  };
}

/** A view on it: an element in the document, and a way to end it. */
export function fakeView(model) {
  const el = document.createElement("div");
  document.body.append(el);
  const ending = new AbortController();
  return { model, el, signal: ending.signal, end: () => (ending.abort(), el.remove()) };
}
