import { chmod, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Logger, Timer } from '@folsom/core';

export interface LeaseEvent {
  /** `add`: the guest has the address; `del`: it gave it back or its lease ran out. */
  action: 'add' | 'del';
  mac: string;
  address: string;
}

/** How often the spool is looked at. */
const POLL_MS = 500;
/** A consumed spool file is started anew beyond this size. */
const SPOOL_BYTES_MAX = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

/**
 * What dnsmasq tells us about leases. It calls a script for every event; starting a whole program each time a guest
 * renews its lease would cost more than the rest of the service, so the script only appends a line to a file, which
 * is read here. Lines written while we are not running are read at the next start: no event is lost.
 */
export interface LeaseSpool {
  /** The program to hand to dnsmasq. */
  script: string;
  /** What the script answers dnsmasq at its start: `expiry mac address hostname *` lines. */
  writeLeases(networkId: number, lines: readonly string[]): Promise<void>;
  /** Works off everything written so far. */
  drain(): Promise<void>;
  stop(): Promise<void>;
}

export async function leaseSpool(options: {
  directory: string;
  clock: Clock;
  log: Logger;
  onEvent: (event: LeaseEvent) => Promise<void>;
  /** Whether a failure of `onEvent` passes by itself: then the event is kept for the next time. */
  passing?: (error: unknown) => boolean;
}): Promise<LeaseSpool> {
  const { directory, clock, log, onEvent } = options;
  await mkdir(directory, { recursive: true });
  const spool = join(directory, 'leases.spool');
  const script = join(directory, 'dhcpbridge');
  await writeFile(`${script}.new`, scriptText(directory), { mode: 0o755 });
  await chmod(`${script}.new`, 0o755);
  await rename(`${script}.new`, script);

  const tell = async (event: LeaseEvent): Promise<void> => {
    try {
      await onEvent(event);
    } catch (error) {
      if (options.passing?.(error)) throw error;
      log.warn('lease event failed', { event, error });
    }
  };

  let offset = await readOffset(`${spool}.offset`);
  let work: Promise<void> = Promise.resolve();
  let stopped = false;

  const consume = async (): Promise<void> => {
    const size = (await stat(spool).catch(() => undefined))?.size ?? 0;
    if (size < offset) offset = 0;
    if (size === offset) {
      if (size > SPOOL_BYTES_MAX) await restart();
      return;
    }
    const file = await open(spool, 'r');
    try {
      while (offset < size) {
        const buffer = Buffer.alloc(Math.min(CHUNK_BYTES, size - offset));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
        const end = buffer.subarray(0, bytesRead).lastIndexOf(10);
        if (end < 0) break;
        for (const line of buffer.subarray(0, end).toString('utf8').split('\n')) {
          const event = parse(line);
          if (event === undefined) continue;
          await tell(event);
        }
        offset += end + 1;
        await writeFile(`${spool}.offset`, String(offset));
      }
    } finally {
      await file.close();
    }
  };
  /** For events that are read once only. */
  const patiently = async (event: LeaseEvent): Promise<void> => {
    for (;;) {
      try {
        return await tell(event);
      } catch (error) {
        if (stopped) return log.error('lease event lost', { event, error });
        await clock.sleep(POLL_MS);
      }
    }
  };
  // Between our rename and the script's next append a line may still go to the old file: it is read once more.
  const restart = async (): Promise<void> => {
    await rename(spool, `${spool}.old`);
    const consumed = offset;
    offset = 0;
    await writeFile(`${spool}.offset`, '0');
    await clock.sleep(200);
    const late = await open(`${spool}.old`, 'r');
    try {
      const { size } = await late.stat();
      const buffer = Buffer.alloc(size - consumed);
      await late.read(buffer, 0, buffer.length, consumed);
      for (const line of buffer.toString('utf8').split('\n')) {
        const event = parse(line);
        if (event !== undefined) await patiently(event);
      }
    } finally {
      await late.close();
    }
    await rm(`${spool}.old`, { force: true });
  };

  const drain = (): Promise<void> => {
    work = work.then(consume).catch(error => log.warn('cannot read lease events', { error }));
    return work;
  };
  const timer: Timer = clock.every(POLL_MS, () => {
    if (!stopped) void drain();
  });
  return {
    script,
    drain,
    writeLeases: async (networkId, lines) => {
      const path = join(directory, `leases-${networkId}`);
      await writeFile(`${path}.new`, lines.map(line => `${line}\n`).join(''));
      await rename(`${path}.new`, path);
    },
    stop: async () => {
      stopped = true;
      timer.cancel();
      await drain();
    },
  };
}

function parse(line: string): LeaseEvent | undefined {
  const [action, mac, address] = line.trim().split(' ');
  if ((action !== 'add' && action !== 'del') || mac === undefined || address === undefined) return undefined;
  return { action, mac, address };
}

async function readOffset(path: string): Promise<number> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return 0;
  try {
    const value = Number((await file.readFile('utf8')).trim());
    return Number.isInteger(value) && value >= 0 ? value : 0;
  } finally {
    await file.close();
  }
}

/** Quotes a path for the one place where a shell reads it: the script dnsmasq starts. */
const quoted = (path: string): string => `'${path.replaceAll("'", `'\\''`)}'`;

const scriptText = (directory: string): string => `#!/bin/sh
# Called by dnsmasq for every lease event; nova-network reads what is appended here.
case "$1" in
  add|del) echo "$1 $2 $3" >> ${quoted(join(directory, 'leases.spool'))} ;;
  init) cat ${quoted(join(directory, 'leases-'))}"$NETWORK_ID" 2>/dev/null ;;
esac
exit 0
`;
