import { readFile } from 'node:fs/promises';
import { type LookAtDisk, requireRoom } from '@folsom/core';
import { examine, printFindings } from './doctor.ts';
import { type Layout, layoutOf, portsWithOffset } from './layout.ts';
import { isOpen } from './preflight.ts';
import { readRunning, residentBytes } from './running.ts';
import { trace } from './trace.ts';

export type Print = (line: string) => void;

const MIB = 1024 * 1024;

/** Prints each service, its state, memory and address. Exit code 3 when nothing runs, as init scripts have it. */
export async function status(layout: Layout, print: Print, look?: LookAtDisk): Promise<number> {
  const running = await readRunning(layout);
  if (!running) {
    print(`not running (state directory ${layout.dir})`);
    return 3;
  }
  const memory = await residentBytes(running.pid);
  const width = Math.max(...running.services.map(service => service.name.length), 7);
  print(`${'SERVICE'.padEnd(width)}  STATE  ADDRESS`);
  for (const { name, addresses } of running.services) {
    const state = (await Promise.all(addresses.map(answers))).every(Boolean) ? 'up' : 'down';
    print(`${name.padEnd(width)}  ${state.padEnd(5)}  ${addresses.join(', ') || '(message bus)'}`);
  }
  print('');
  print(
    `process ${running.pid} since ${running.since}, memory ${Math.round((memory ?? 0) / MIB)} MB for all services`,
  );
  print(`hypervisor: ${running.hypervisor}`);
  await requireRoom(layout.dir, look).catch((error: Error) => print(`problem: ${error.message}`));
  return 0;
}

function answers(address: string): Promise<boolean> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  return isOpen(host === '0.0.0.0' ? '127.0.0.1' : host, Number(address.slice(at + 1)));
}

/** Prints the variables of openrc for `eval`. */
export async function env(layout: Layout, who: 'admin' | 'demo', print: Print): Promise<number> {
  const file = who === 'admin' ? layout.openrc : layout.openrcDemo;
  const text = await readFile(file, 'utf8').catch(() => {
    throw new Error(`${file} does not exist: start the cloud once with "folsom up"`);
  });
  print(text.trimEnd());
  return 0;
}

export async function doctor(
  stateDir: string,
  options: { hostIp: string; portsOffset: number; files: readonly string[]; now: () => number },
  print: Print,
): Promise<number> {
  const findings = await examine({
    layout: layoutOf(stateDir),
    ports: portsWithOffset(options.portsOffset),
    hostIp: options.hostIp,
    configFiles: options.files,
    now: options.now,
  });
  printFindings(findings, print);
  return findings.some(finding => finding.severity === 'problem') ? 1 : 0;
}

export async function printTrace(layout: Layout, requestId: string, print: Print): Promise<number> {
  const lines = await trace(layout.log, requestId).catch(error => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new Error(`there is no log yet: ${layout.log}`);
    throw error;
  });
  for (const line of lines) print(line);
  if (lines.length === 0) print(`the log knows no request ${requestId}`);
  return lines.length > 0 ? 0 : 1;
}
