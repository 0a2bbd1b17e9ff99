import { systemClock } from '@folsom/core';
import { ask, type Tenant } from './clients.ts';
import type { Cloud } from './cloud.ts';

/** A server that is not ACTIVE by then never will be. */
const PROBE_MS = 180_000;
const ANSWER_MS = 10_000;
/** Between two looks at a server: looks must not slow down what is looked at. */
const LOOK_MS = { fake: 50, libvirt: 1000 };

/**
 * Boots a server, waits until it is ACTIVE and deletes it: milliseconds until then, or why it never came to that. What
 * an answer that nobody heard has left is deleted as well: else probes would use up their own quota.
 */
export async function recovered(
  cloud: Cloud,
  { tenants, image }: { tenants: readonly Tenant[]; image: string },
  name: string,
): Promise<{ ms: number } | { why: string }> {
  const from = systemClock.monotonic();
  const { id: tenantId, token } = tenants.at(-1)!;
  let id: string | undefined;
  let last = 'nothing was asked';
  for (let at = 0; systemClock.monotonic() - from < PROBE_MS; at++) {
    const url = `${cloud.compute[at % 2]}/v2/${tenantId}/servers`;
    const timeoutMs = ANSWER_MS;
    if (id === undefined) {
      const body = { server: { name, imageRef: image, flavorRef: '101' } };
      const answer = await ask(url, token, { method: 'POST', body, timeoutMs });
      id = answer.json?.server?.id;
      last = `the boot is answered ${answer.status} ${answer.bytes.toString().slice(0, 200)}`;
      if (answer.status === 413 || answer.status === 0) await clear(url, token);
      if (id === undefined) await systemClock.sleep(500);
    } else {
      const { json, status: code } = await ask(`${url}/${id}`, token, { timeoutMs });
      const status = json?.server?.status;
      last = `${id} is ${status ?? code} ${json?.server?.fault?.message ?? ''}`;
      if (status === 'ACTIVE') {
        const ms = systemClock.monotonic() - from;
        await clear(url, token);
        return { ms };
      }
      if (status === 'ERROR' || code === 404) {
        await clear(url, token);
        id = undefined;
      }
    }
    await systemClock.sleep(LOOK_MS[cloud.driver]);
  }
  return { why: last };
}

/** Deletes every server of the probes. What cannot be deleted now is when the next one looks. */
async function clear(url: string, token: string): Promise<void> {
  const { json } = await ask(url, token, { timeoutMs: ANSWER_MS });
  for (const { id } of json?.servers ?? []) {
    await ask(`${url}/${id}`, token, { method: 'DELETE', timeoutMs: ANSWER_MS });
  }
}
