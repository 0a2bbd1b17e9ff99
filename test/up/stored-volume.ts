import { createHmac } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '@folsom/host';
import { eventually } from '@folsom/testing';
import { expect } from 'vitest';

interface Cloud {
  /** State directory. */
  state: string;
  /** Addresses of the identity and the volume API, and of EC2's object store. */
  identity: string;
  volumes: string;
  objectstore: string;
  /** Who asks. */
  userId: string;
  tenantId: string;
  headers: Record<string, string>;
}

/** A pair of keys of EC2. */
interface Pair {
  access: string;
  secret: string;
}

/** A request to EC2's object store, signed as S3's clients do. */
function signed(store: string, { access, secret }: Pair, method: string, path: string, body = '') {
  const date = new Date().toUTCString();
  const type = body === '' ? '' : 'text/plain';
  const text = `${method}\n\n${type}\n\nx-amz-date:${date}\n${path}`;
  const signature = createHmac('sha1', secret).update(text).digest('base64');
  return fetch(`${store}${path}`, {
    method,
    headers: {
      authorization: `AWS ${access}:${signature}`,
      'x-amz-date': date,
      ...(body === '' ? {} : { 'content-type': type }),
    },
    ...(body === '' ? {} : { body }),
  });
}

/** A volume with bytes and buckets of EC2's object store, one of them empty: what a restore has to bring back. */
export async function storedVolume(cloud: Cloud) {
  const { state, volumes, objectstore, headers } = cloud;
  const asked = await fetch(`${cloud.identity}/users/${cloud.userId}/credentials/OS-EC2`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ tenant_id: cloud.tenantId }),
  });
  const { credential } = (await asked.json()) as { credential: Pair };
  const store = (method: string, path: string, body?: string) =>
    signed(objectstore, credential, method, path, body);
  const made = await fetch(`${volumes}/volumes`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ volume: { size: 1, display_name: 'kept' } }),
  });
  const { volume } = (await made.json()) as { volume: { id: string } };
  const seen = async () => {
    const shown = (await (await fetch(`${volumes}/volumes/${volume.id}`, { headers })).json()) as {
      volume: { status: string; display_name: string };
    };
    return [shown.volume.status, shown.volume.display_name];
  };
  await eventually(seen).toEqual(['available', 'kept']);
  const file = join(state, 'nova', 'volume-files', `volume-${volume.id}`);
  await writeFile(file, 'written by a guest', { flag: 'r+' });
  for (const bucket of ['kept', 'kept-empty']) expect((await store('PUT', `/${bucket}`)).status).toBe(200);
  expect((await store('PUT', '/kept/part', 'of a bundle')).status).toBe(200);
  return {
    isBack: async () => {
      expect(await seen()).toEqual(['available', 'kept']);
      const { size, blocks } = await stat(file);
      const begins = await run(['head', '-c', '18', file], { timeoutMs: 30_000 });
      expect([size, begins.stdout]).toEqual([2 ** 30, 'written by a guest']);
      // A sparse file stays one.
      expect(blocks * 512).toBeLessThan(2 ** 24);
      expect(await (await store('GET', '/kept/part')).text()).toBe('of a bundle');
      expect((await store('GET', '/kept-empty')).status).toBe(200);
    },
  };
}
