import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goldenDir, readGolden } from '@folsom/testing';
import { describe, expect, it } from 'vitest';
import { startImageCloud } from './image-cloud.ts';
import { listedDifferences, listedInVain, replayRecordings, SETUPS, unlisted } from './replay.ts';

const SET = 'glance';

/** Recordings 1-160 were made by command line clients, 301-606 over HTTP, each from a state of its own. */
const PARTS = [
  { name: 'command line', from: 1, to: 199, setup: 'glance-cli.json', scenarios: 117 },
  { name: 'HTTP', from: 300, to: 699, setup: 'glance-http.json', scenarios: 263 },
];

describe('glance answers as recorded', () => {
  const listed = listedDifferences('glance');

  for (const part of PARTS) {
    it(`${part.name}`, { timeout: 580_000 }, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'folsom-golden-'));
      const cloud = await startImageCloud({ remoteRegistry: part.name === 'command line' });
      try {
        const slugs = readGolden(SET)
          .map(scenario => scenario.slug)
          .filter(slug => {
            const number = Number.parseInt(slug, 10);
            return number >= part.from && number <= part.to;
          });
        for (const slug of slugs)
          await symlink(join(goldenDir(), SET, `${slug}.json`), join(folder, `${slug}.json`));
        // Our order is finer than a second: nothing has to wait for the next one.
        const setup = JSON.parse(await readFile(join(SETUPS, part.setup), 'utf8'));
        setup.first = setup.first.filter((step: object) => !('sleep' in step));
        setup.before = { ...setup.before, ...standIns(slugs) };
        const setupFile = join(folder, '_setup.json');
        await writeFile(setupFile, JSON.stringify({ ...setup, pace: false, settle: 1 }));
        const { identity, identityAdmin, api, registry } = cloud.ports;
        const replayed = await replayRecordings({
          folder,
          ports: { 5000: identity, 35357: identityAdmin, 9292: api, 9191: registry },
          setup: setupFile,
          known: listed,
        });
        console.log(
          `glance, ${part.name}: ${replayed.ok.length} as recorded, ${replayed.differs.length} differ with a reason`,
        );
        expect(unlisted(replayed, listed)).toEqual([]);
        expect(listedInVain(replayed, listed)).toEqual([]);
        expect(replayed.ok.length + replayed.differs.length).toBe(part.scenarios);
      } finally {
        await cloud.stop();
        await rm(folder, { recursive: true, force: true });
      }
    });
  }
});

/**
 * Two recordings that are not part of the set left something behind that later ones show: an image that stays queued
 * because its store does not exist, and one in the cache because it was downloaded.
 */
function standIns(slugs: readonly string[]): Record<string, object[]> {
  const token = { 'X-Auth-Token': '77547d56c8e144568a7f03e4e50838de' };
  const steps: Record<string, object[]> = {};
  if (!slugs.some(slug => slug.startsWith('342-'))) {
    const headers = {
      ...token,
      'x-image-meta-name': 'ck',
      'x-image-meta-disk_format': 'raw',
      'x-image-meta-container_format': 'bare',
      'x-image-meta-store': 'nosuch',
      'Content-Type': 'application/octet-stream',
    };
    const request = { port: 9292, method: 'POST', path: '/v1/images', headers, body: 'data' };
    steps['v1-post-wrong-content-type'] = [{ request }];
  }
  if (!slugs.some(slug => slug.startsWith('357-'))) {
    const path = '/v1/images/b6eea807-8efc-4814-8cf3-7c8e03942a23';
    steps['v1-head-queued'] = [{ request: { port: 9292, method: 'GET', path, headers: token } }];
  }
  // Made in a session of its own, whose login was not recorded.
  steps['v2-create-with-fresh-id'] = [
    {
      login: { user: 'admin', password: 'secrete', tenant: 'admin' },
      token: '9f10c6d40682404eafa3927f0038dfe7',
    },
  ];
  return steps;
}
