import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
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

/** Folder of a host's state, which may be a disk of its own. */
export const stateOf = (dir: string, host: string): string => join(dir, 'state', host);
const DISK = Buffer.alloc(65_536, 1);

/** The simulated hypervisor with a memory of its own; its guests have disks in the state folder of their host. */
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
  const disk = (name: string) => join(stateOf(dir, host), 'instances', name);
  const makesDisk = async (name: string) => {
    await mkdir(disk(name), { recursive: true });
    await writeFile(join(disk(name), 'disk'), DISK);
  };
  const parts: Partial<ComputeDriver> = {
    spawn: async (request, step) => {
      await makesDisk(request.guest.name);
      await driver.spawn(request, step);
    },
    finishMigration: async request => {
      await makesDisk(request.guest.name);
      await driver.finishMigration(request);
    },
    destroy: async (guest, ...rest) => {
      await driver.destroy(guest, ...rest);
      await rm(disk(guest.name), { recursive: true, force: true });
    },
  };
  return new Proxy(
    { ...driver, ...parts },
    {
      get(target, key) {
        const value = Reflect.get(target, key);
        if (key === 'init') {
          // What is there is there, whatever the database says.
          return () =>
            driver.init(
              guestsOn(dir, host).map(name => ({ name, power_state: powerState.running })) as never,
            );
        }
        if (typeof value !== 'function' || key === 'listGuests') return value;
        return (...given: unknown[]) => {
          const result = value.apply(target, given);
          if (!(result instanceof Promise)) return result;
          return result.finally(note);
        };
      },
    },
  );
}
