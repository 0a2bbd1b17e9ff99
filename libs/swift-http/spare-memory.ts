/** So much must have passed through the process before its memory is worth looking after. */
const MOVED_MIN = 64 * 1024 * 1024;
/** A second with fewer bytes than this is a quiet one. */
const QUIET_BYTES_MAX = 1024 * 1024;
const QUIET_TICKS = 5;

/** Watches over the memory that large bodies leave behind: when they have all passed, it is given back. */
export interface SpareMemory {
  /** Bytes of bodies that came or went. */
  moved(bytes: number): void;
  /** Called about once a second by every server of the process. */
  tick(now: number): void;
}

const SECOND = 1000;

export function spareMemory(giveBack: () => Promise<void>): SpareMemory {
  let due = 0;
  let lately = 0;
  let quiet = 0;
  let last = Number.NEGATIVE_INFINITY;
  return {
    moved: bytes => {
      lately += bytes;
    },
    tick: now => {
      if (now - last < SECOND / 2) return;
      last = now;
      due += lately;
      quiet = lately > QUIET_BYTES_MAX ? 0 : quiet + 1;
      lately = 0;
      if (quiet < QUIET_TICKS || due < MOVED_MIN) return;
      due = 0;
      // What it fails with (a C library without the call) costs memory and nothing else.
      giveBack().catch(() => {});
    },
  };
}
