import { type Lab, planned } from './processes.ts';
import { runningOn, SWITCH } from './spaces.ts';
import { isPlugged } from './wiring.ts';

/** One line for each host and process: what should be there, and what is. */
export async function statusLines(lab: Lab): Promise<{ lines: string[]; whole: boolean }> {
  const lines: string[] = [];
  let whole = lab.plan.whole;
  const center = lab.spaces.get(SWITCH);
  const wanted = planned(lab);
  for (const { name, address } of lab.plan.plan) {
    const space = lab.spaces.get(name);
    if (space === undefined || center === undefined) {
      lines.push(`${name.padEnd(12)} ${address.padEnd(15)} is not there`);
      whole = false;
      continue;
    }
    const plugged = await isPlugged(center, name);
    lines.push(`${name.padEnd(12)} ${address.padEnd(15)} ${plugged ? 'up' : 'cut off from the network'}`);
    const running = runningOn(space);
    for (const { host, name: process } of wanted) {
      if (host !== name) continue;
      const one = running.find(known => known.name === process && known.program !== 'epmd');
      const state = one === undefined ? 'is not running' : one.stopped ? 'is stopped' : 'runs';
      lines.push(`  ${process.padEnd(24)} ${state}${one === undefined ? '' : ` (pid ${one.pid})`}`);
      whole &&= state === 'runs';
    }
    whole &&= plugged;
  }
  for (const what of lab.plan.without) lines.push(`without ${what}`);
  return { lines, whole };
}
