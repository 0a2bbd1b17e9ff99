import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ComputeDriver, fakeDriver } from '@folsom/compute-agent';
import type { Runner } from '@folsom/host/runner';
import { powerState } from '@folsom/nova/instance-state';
import { packetFilter } from '@folsom/testing';

/** Where the guests of a host stand, one name a line: they outlive the daemon, as real ones do. */
const guestsFile = (dir: string, host: string): string => join(dir, `guests-${host}`);

export function guestsOn(dir: string, host: string): string[] {
  try {
    return readFileSync(guestsFile(dir, host), 'utf8').split('\n').filter(Boolean);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** The packet filter of a host, which outlives the daemon as well. */
export function lastingFilter(dir: string, host: string): Runner {
  const file = join(dir, `filter-${host}`);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return packetFilter(before, text => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }).runner;
}

/** The simulated hypervisor with a memory of its own. */
export function lastingDriver(dir: string, host: string): ComputeDriver {
  const driver = fakeDriver({ host, memoryMb: 65_536, vcpus: 256 });
  const file = guestsFile(dir, host);
  let written = guestsOn(dir, host).join('\n');
  const note = async () => {
    const now = (await driver.listGuests()).join('\n');
    if (now === written) return;
    writeFileSync(`${file}.new`, now);
    renameSync(`${file}.new`, file);
    written = now;
  };
  return new Proxy(driver, {
    get(target, key) {
      const value = Reflect.get(target, key);
      if (key === 'init') {
        // What is there is there, whatever the database says.
        return () =>
          driver.init(guestsOn(dir, host).map(name => ({ name, power_state: powerState.running })) as never);
      }
      if (typeof value !== 'function' || key === 'listGuests') return value;
      return (...given: unknown[]) => {
        const result = value.apply(target, given);
        if (!(result instanceof Promise)) return result;
        return result.finally(note);
      };
    },
  });
}
