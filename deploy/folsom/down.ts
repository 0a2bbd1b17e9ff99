import { existsSync } from 'node:fs';
import type { Print } from './commands.ts';
import type { Layout } from './layout.ts';
import { purge } from './purge.ts';
import { forgetRunning, readRunning, startOf } from './running.ts';
import { readSettings } from './settings.ts';

/** How long the services get to finish what is in flight. */
const STOP_TIMEOUT_MS = 30_000;

/** Stops the cloud of a state directory; with `everything` removes guests, network and files. Resolves to the exit code. */
export async function down(layout: Layout, everything: boolean, print: Print): Promise<number> {
  const running = await readRunning(layout);
  if (running) {
    print(`stopping process ${running.pid} ...`);
    process.kill(running.pid, 'SIGTERM');
    const deadline = performance.now() + STOP_TIMEOUT_MS;
    while ((await startOf(running.pid)) === running.started) {
      if (performance.now() > deadline) process.kill(running.pid, 'SIGKILL');
      await new Promise(resolve => setTimeout(resolve, 50));
    }
    print('stopped');
  } else {
    print(`not running (state directory ${layout.dir})`);
  }
  await forgetRunning(layout);
  if (!everything || !existsSync(layout.dir)) return 0;
  if (!existsSync(layout.secrets)) {
    process.stderr.write(`folsom: ${layout.dir} is not the state directory of a cloud; nothing is removed\n`);
    return 1;
  }
  await purge(layout, await readSettings(layout), print);
  return 0;
}
