/** A `localStorage` of a test's own, and two that are of no use. */

export function storage() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, String(value)),
    removeItem: (key) => void kept.delete(key),
    key: (index) => [...kept.keys()][index] ?? null,
    get length() {
      return kept.size;
    },
  };
}

export const forbidden = () => {
  throw new DOMException("The operation is insecure.", "SecurityError");
};

export function full() {
  const store = storage();
  store.setItem = () => {
    throw new DOMException("It is full.", "QuotaExceededError");
  };
  return store;
}
