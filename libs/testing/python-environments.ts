import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';

/** How this machine reaches its package index. */
export function pipSettings(): Record<string, string> {
  const out: Record<string, string> = { PIP_DISABLE_PIP_VERSION_CHECK: '1' };
  for (const [name, value] of Object.entries(process.env)) {
    if (/^(PIP_|https?_proxy$|no_proxy$)/i.test(name) && value !== undefined) out[name] = value;
  }
  return out;
}

/** Test files run in several processes at once; only one may build. */
export async function withLock(path: string, timeoutMs: number, work: () => Promise<void>): Promise<void> {
  const mine = `${path}.${process.pid}`;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' });
      break;
    } catch {
      const owner = Number(await readFile(path, 'utf8').catch(() => '0'));
      if (owner > 0 && !existsSync(`/proc/${owner}`))
        await rename(path, mine).then(
          () => rm(mine),
          () => {},
        );
      else await new Promise(resolve => setTimeout(resolve, 500));
      if (Date.now() > deadline) throw new Error(`timed out waiting for ${path}`);
    }
  }
  try {
    await work();
  } finally {
    await rm(path, { force: true });
  }
}
