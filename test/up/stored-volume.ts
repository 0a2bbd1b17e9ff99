import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '@folsom/host';
import { eventually } from '@folsom/testing';
import { expect } from 'vitest';

interface Cloud {
  /** State directory. */
  state: string;
  /** Addresses of the volume API, and of EC2's object store. */
  volumes: string;
  objectstore: string;
  headers: Record<string, string>;
}

/** A volume with bytes and buckets of EC2's object store, one of them empty: what a restore has to bring back. */
export async function storedVolume({ state, volumes, objectstore, headers }: Cloud) {
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
  for (const bucket of ['kept', 'kept-empty'])
    expect((await fetch(`${objectstore}/${bucket}`, { method: 'PUT' })).status).toBe(200);
  expect((await fetch(`${objectstore}/kept/part`, { method: 'PUT', body: 'of a bundle' })).status).toBe(200);
  return {
    isBack: async () => {
      expect(await seen()).toEqual(['available', 'kept']);
      const { size, blocks } = await stat(file);
      const begins = await run(['head', '-c', '18', file], { timeoutMs: 30_000 });
      expect([size, begins.stdout]).toEqual([2 ** 30, 'written by a guest']);
      // A sparse file stays one.
      expect(blocks * 512).toBeLessThan(2 ** 24);
      expect(await (await fetch(`${objectstore}/kept/part`)).text()).toBe('of a bundle');
      expect((await fetch(`${objectstore}/kept-empty`)).status).toBe(200);
    },
  };
}
