import { systemClock } from '@folsom/core';
import { formBody, SECRET, signedPath } from './signing.ts';
import type { Feature } from './suite.ts';
import type { Target } from './target.ts';

const TRIES = 20;
const PAUSE_MS = 250;

/** Whether something comes true in a moment. */
async function soon(look: () => Promise<boolean>): Promise<boolean> {
  for (let i = 0; i < TRIES; i++) {
    if (await look()) return true;
    await systemClock.sleep(PAUSE_MS);
  }
  return false;
}

/** Looks what the target has, by using it. */
export async function featuresOf(target: Target): Promise<Set<Feature>> {
  const found = new Set<Feature>();
  const box = target.freshName();
  await target.mustDo('PUT', box);
  await target.mustDo('PUT', `${box}/o`, { body: 'x', headers: { 'content-type': 'text/plain' } });
  const looks: Record<Exclude<Feature, 'other user'>, () => Promise<boolean>> = {
    acl: async () => {
      await target.ask('POST', box, { headers: { 'x-container-read': '.r:*' } });
      const { headers } = await target.ask('HEAD', box);
      await target.ask('POST', box, { headers: { 'x-container-read': '' } });
      return headers['x-container-read'] === '.r:*';
    },
    versions: async () => {
      await target.ask('POST', box, { headers: { 'x-versions-location': box } });
      const { headers } = await target.ask('HEAD', box);
      await target.ask('POST', box, { headers: { 'x-versions-location': '' } });
      return headers['x-versions-location'] === box;
    },
    manifests: async () => {
      await target.ask('PUT', `${box}/m`, { headers: { 'x-object-manifest': `${box}/o` } });
      return (await target.ask('GET', `${box}/m`)).text === 'x';
    },
    expiry: async () => {
      const at = String(Math.floor(systemClock.now() / 1000) + 1000);
      await target.ask('PUT', `${box}/e`, { body: 'x', headers: { 'x-delete-at': at } });
      return (await target.ask('HEAD', `${box}/e`)).headers['x-delete-at'] === at;
    },
    tempurl: async () => {
      await target.ask('POST', '', { headers: { 'x-account-meta-temp-url-key': SECRET } });
      return soon(async () => {
        const path = signedPath(target, 'GET', `${box}/o`);
        return (await target.ask('GET', path, { raw: true, as: 'nobody' })).status === 200;
      });
    },
    formpost: async () => {
      const form = formBody(target, `${box}/form-`, [['f', 'x']]);
      const { headers, body } = form;
      await target.ask('POST', `${box}/form-`, { headers, body, as: 'nobody' });
      return (await target.ask('HEAD', `${box}/form-f`)).status === 200;
    },
    staticweb: async () => {
      await target.ask('POST', box, {
        headers: { 'x-container-read': '.r:*', 'x-container-meta-web-listings': 'true' },
      });
      return soon(async () => {
        const answer = await target.ask('GET', `${box}/`, { as: 'nobody' });
        return answer.status === 200 && answer.text.includes('<html');
      });
    },
  };
  for (const [feature, look] of Object.entries(looks)) if (await look()) found.add(feature as Feature);
  if (target.other) found.add('other user');
  await target.sweep(box);
  return found;
}
