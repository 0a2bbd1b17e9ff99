import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Who may use the one event loop of this process, and for how long. Work that never waits for anything outside (a chain of
 * statements on SQLite) would keep the loop until its end, and the next chain after it: whoever connects meanwhile waits for all
 * of them. Such work asks for its {@link LoopShare.turn} before each piece, and waits when this turn of the loop has lasted
 * long enough. Requests go before messages and other background work, which has a part of each turn of its own.
 */
export interface LoopShare {
  /** Nothing: go on. Else to be awaited: others, who have waited longer or matter more, come first. */
  turn(): Promise<void> | undefined;
  /** Runs work that gives way to requests. What began first is finished first. */
  background<T>(work: () => Promise<T>): Promise<T>;
  /** Whether somebody waits for his turn: what he does is not over yet. */
  readonly busy: boolean;
}

/** Milliseconds of one turn of the loop for what is new, for requests that waited, and for the background. */
const SHARE_MS = 3;

/** What a {@link LoopShare} goes by; replaced in tests. */
interface Loop {
  /** Monotonic milliseconds. */
  now(): number;
  shareMs: number;
}

interface Waiting {
  /** Place among all background work; of a request, 0. */
  since: number;
  go(): void;
}

export function loopShare(loop: Loop = { now: () => performance.now(), shareMs: SHARE_MS }): LoopShare {
  const place = new AsyncLocalStorage<number>();
  const requests: Waiting[] = [];
  const background: Waiting[] = [];
  let places = 0;
  /** When the present part of the turn began; null before anybody has asked in it. */
  let began: number | null = null;
  const over = () => began !== null && loop.now() - began >= loop.shareMs;

  /** Lets those who wait go on, one after another, for one share of the turn; then `next`. */
  const serve = (queue: Waiting[], next: () => void): void => {
    began = loop.now();
    let served = 0;
    const step = () => {
      // However slow the machine is, one goes on.
      const first = served > 0 && over() ? undefined : queue.shift();
      if (first === undefined) return next();
      served += 1;
      first.go();
      // Ticks run when all is done that can be done without waiting: the work just let go on has come to its next wait.
      queueMicrotask(() => process.nextTick(step));
    };
    step();
  };

  /** Once a turn of the loop, after what arrived from outside. */
  const endOfTurn = (): void => {
    serve(requests, () =>
      serve(background, () => {
        began = null;
        if (requests.length + background.length > 0) begin();
      }),
    );
  };

  const begin = (): void => {
    began = loop.now();
    setImmediate(endOfTurn);
  };

  return {
    turn() {
      if (began === null) begin();
      const since = place.getStore() ?? 0;
      // Who asks first goes first, also when there is time left.
      if (!over() && (since > 0 || requests.length === 0)) return undefined;
      return new Promise(go => {
        if (since === 0) return void requests.push({ since, go });
        let at = background.length;
        while (at > 0 && (background[at - 1]?.since ?? 0) > since) at -= 1;
        background.splice(at, 0, { since, go });
      });
    },
    background: work => place.run(++places, work),
    get busy() {
      return requests.length + background.length > 0;
    },
  };
}

/** That of this process. */
export const theLoop: LoopShare = loopShare();
