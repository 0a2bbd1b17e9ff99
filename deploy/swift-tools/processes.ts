import { constants } from 'node:os';
import { must } from '@folsom/core';
import { run } from '@folsom/host/run';

/** A process of swift's, ours or the original's. */
export interface SwiftProcess {
  pid: number;
  /** Whole hours since its start. */
  hours: number;
  /** Its command line from the program's name on, without `swift-`. */
  command: string;
}

/** An interpreter and a program of swift's as its script. */
const COMMAND = /^\S*(?:python|node)\S*(?: -\S+)* \S*\/swift-(\S.*)$/;

/**
 * Reads what `ps -eo etime,pid,args --no-headers` prints; only programs of swift's count. Elapsed times are
 * `[[days-]hours:]minutes:seconds`.
 */
export function swiftProcesses(listing: string): SwiftProcess[] {
  const found: SwiftProcess[] = [];
  for (const line of listing.split('\n')) {
    const parts = /^\s*(?:(?:(\d+)-)?(\d+):)?\d+:\d+\s+(\d+)\s+(.*\S)\s*$/.exec(line);
    const command = parts ? COMMAND.exec(must(parts[4], 'parts has more than 4'))?.[1] : undefined;
    if (!parts || command === undefined) continue;
    found.push({
      pid: Number(parts[3]),
      hours: Number(parts[1] ?? 0) * 24 + Number(parts[2] ?? 0),
      command: command.replace(/^(\S+)\.mjs\b/, '$1'),
    });
  }
  return found;
}

/** The running processes of swift's. */
export async function runningSwift(): Promise<SwiftProcess[]> {
  const { stdout } = await run(['ps', '-eo', 'etime,pid,args', '--no-headers', '-ww'], { timeoutMs: 10_000 });
  return swiftProcesses(stdout);
}

/** The processes that some others started. */
export async function childrenOf(pids: readonly number[]): Promise<number[]> {
  if (pids.length === 0) return [];
  const { stdout } = await run(['ps', '--ppid', pids.join(','), '-o', 'pid', '--no-headers'], {
    timeoutMs: 10_000,
    allowedCodes: [0, 1],
  });
  return stdout.split(/\s+/).filter(Boolean).map(Number);
}

const LINE_WIDTH = 78;

/** The table both programs print; empty without processes. */
export function processTable(processes: readonly SwiftProcess[], wide = false): string {
  if (processes.length === 0) return '';
  const width = (title: string, texts: readonly string[]) =>
    Math.max(title.length, ...texts.map(text => text.length));
  const hours = width(
    'Hours',
    processes.map(process => String(process.hours)),
  );
  const pids = width(
    'PID',
    processes.map(process => String(process.pid)),
  );
  const room = wide ? Number.POSITIVE_INFINITY : LINE_WIDTH - hours - pids;
  const row = (hour: string, pid: string, command: string) =>
    `${hour.padStart(hours)} ${pid.padStart(pids)} ${command.slice(0, room)}\n`;
  return (
    row('Hours', 'PID', 'Command') +
    processes.map(({ hours: age, pid, command }) => row(String(age), String(pid), command)).join('')
  );
}

/** A signal by number or name, with or without `SIG`; null if there is none such. */
export function signalNumber(text: string): number | null {
  if (/^\d+$/.test(text)) return Number(text) || null;
  const name = text.toUpperCase();
  const { signals } = constants as unknown as { signals: Record<string, number> };
  return signals[name] ?? signals[`SIG${name}`] ?? null;
}
