import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { hostNamespace, startProgram } from '@folsom/testing';
import { giveGuestImage } from '../guest-image.ts';

const READY_MS = 900_000;

/** `folsom up` with real guests, on a host of its own. */
export interface OwnCloud {
  /** State directory of the cloud. */
  state: string;
  /** Runs one of our scripts on that host; `line` is told what it prints. Throws when it ends badly. */
  run(script: string, words: readonly string[], line: (text: string) => void): Promise<void>;
  /** Takes everything away; with `keep` state and logs stay, in the folder that is answered. */
  remove(keep?: boolean): Promise<string | undefined>;
}

/**
 * @param name of the host, at most 9 characters with the number that is put behind it
 * @param address of the host, none of the guests' network
 */
export async function ownCloud(
  name: string,
  address: string,
  words: readonly string[] = [],
): Promise<OwnCloud> {
  const dir = await mkdtemp(join(tmpdir(), 'folsom-guests-'));
  const state = join(dir, 'var');
  await giveGuestImage(state);
  const host = await hostNamespace(`${name}${process.pid % 100_000}`, [`${address}/24`]);
  const clear = async (keep: boolean): Promise<void> => {
    await host.remove();
    if (!keep) await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  const options = ['--compute-driver', 'libvirt', '--services', 'identity,image,compute'];
  const cloud = await startProgram('folsom', ['up', '--state-dir', state, ...options, ...words], {
    logFile: join(dir, 'terminal.log'),
    enter: host.enter,
    until: /^ready in [\d.]+ s$/m,
    timeoutMs: READY_MS,
  }).catch(async error => {
    await clear(true);
    throw error;
  });
  return {
    state,
    run: (script, given, line) => {
      const argv = [...host.enter, process.execPath, script, ...given];
      const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
      createInterface({ input: child.stdout! }).on('line', line);
      return new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('close', code => {
          if (code === 0) resolve();
          else reject(new Error(`${script} ended with ${code}`));
        });
      });
    },
    async remove(keep = false) {
      await cloud.stop();
      await clear(keep);
      return keep ? dir : undefined;
    },
  };
}
