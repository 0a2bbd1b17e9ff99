import { useCallback, useEffect, useRef, useState } from './view.js';

/**
 * Loads something, and again and again while the page is looked at. The first load counts as a sign of life of the person,
 * the rest does not.
 *
 * @template T
 * @param {(options: { background: boolean, signal: AbortSignal }) => Promise<T>} load
 * @param {readonly unknown[]} deps loads anew when one changes
 * @param {number | ((data: T) => number)} [every] milliseconds; 0 for once
 * @returns {{ data: T | undefined, error: any, refresh: () => Promise<void> }}
 */
export function usePoll(load, deps, every = 0) {
  const [state, setState] = useState(/** @type {{ data?: T, error?: any }} */ ({}));
  const latest = useRef(load);
  latest.current = load;
  const again = useRef(/** @type {() => Promise<void>} */ (async () => {}));

  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    let running = /** @type {Promise<void> | null} */ (null);
    setState({});
    const run = async background => {
      let wait = 0;
      try {
        const data = await latest.current({ background, signal: stop.signal });
        if (stop.signal.aborted) return;
        setState({ data });
        wait = typeof every === 'function' ? every(data) : every;
      } catch (problem) {
        const error = /** @type {any} */ (problem);
        if (stop.signal.aborted) return;
        setState(before => ({ data: before.data, error }));
        wait = every === 0 ? 0 : Math.max(5_000, (error.retryAfter ?? 0) * 1000);
      }
      if (wait > 0) timer = window.setTimeout(tick, wait);
    };
    const start = background => {
      clearTimeout(timer);
      running ??= run(background).finally(() => {
        running = null;
      });
      return running;
    };
    const tick = () => {
      // Nobody looks: nothing is asked until somebody does.
      if (document.hidden) document.addEventListener('visibilitychange', shown, { once: true });
      else start(true);
    };
    const shown = () => void (stop.signal.aborted || tick());
    again.current = async () => {
      // What is under way may have been asked before the change.
      if (running) await running;
      if (!stop.signal.aborted) await start(false);
    };
    start(false);
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', shown);
    };
  }, deps);

  const refresh = useCallback(() => again.current(), []);
  return { data: state.data, error: state.error, refresh };
}
