import { useEffect, useState } from './view.js';

/**
 * A value that parts of the page share.
 * @template T
 * @param {T} value
 */
export function store(value) {
  const listeners = new Set();
  return {
    get: () => value,
    /** @param {T} next */
    set(next) {
      value = next;
      for (const listener of [...listeners]) listener(next);
    },
    /** @param {(value: T) => void} listener */
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/**
 * The value of a store; the component is drawn anew when it changes.
 * @template T
 * @param {{ get(): T, listen(listener: (value: T) => void): () => void }} source
 * @returns {T}
 */
export function useStore(source) {
  const [value, setValue] = useState(source.get);
  useEffect(() => {
    setValue(source.get);
    const stop = source.listen(next => setValue(() => next));
    return () => void stop();
  }, [source]);
  return value;
}
