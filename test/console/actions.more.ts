import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriers, CHROMIUM, choose, type Person, type Stage, setStage, submit } from './stage.ts';

const PICTURES = fileURLToPath(new URL('../../docs/console', import.meta.url));

/** By `npm run test:console`: what takes too long for every run. */
describe.skipIf(CHROMIUM === undefined)('every action', () => {
  let stage: Stage;
  let person: Person;
  beforeAll(async () => {
    stage = await setStage();
    person = await stage.person('walker');
  });
  afterAll(() => stage?.stop());

  const boot = async (names: readonly string[]) => {
    const v2 = `/v2/${person.project}`;
    const { body } = await stage.ask(person, 'image', 'GET', '/v1/images');
    for (const name of names) {
      const made = await stage.ask(person, 'compute', 'POST', `${v2}/servers`, {
        server: { name, imageRef: body.images[0].id, flavorRef: '1', metadata: { role: 'web' } },
      });
      expect(made.status).toBe(202);
    }
  };

  it('of an instance is offered in its state and does what it says', async () => {
    await boot(['walked']);
    const visit = await stage.open();
    const { page, go } = visit;
    await visit.login(person);
    await go('/instances');
    await page.getByRole('link', { name: 'walked' }).click();
    const state = (text: string) => page.locator('.page-head .badge', { hasText: text }).waitFor();
    const act = (entry: string) => choose(page, /^Actions/, entry);
    await state('Running');
    const steps: readonly (readonly [entry: string, becomes: string])[] = [
      ['Pause', 'Paused'],
      ['Go on', 'Running'],
      ['Suspend', 'Suspended'],
      ['Resume', 'Running'],
      ['Reboot', 'Running'],
      ['Hard reboot', 'Running'],
      ['Rescue', 'Rescue mode'],
      ['Leave rescue mode', 'Running'],
      ['Switch off', 'Switched off'],
      ['Start', 'Running'],
    ];
    for (const [entry, becomes] of steps) {
      await act(entry);
      await page
        .locator('.toast', { hasText: `${entry}: walked` })
        .first()
        .waitFor();
      await state(becomes);
    }
    const dialog = page.getByRole('dialog');
    await act('Take a snapshot');
    await dialog.getByLabel("The new image's name").fill('picture');
    await submit(page);
    await act('Metadata');
    await dialog.getByPlaceholder('Value').fill('database');
    await submit(page);
    await page.locator('.facts', { hasText: 'database' }).waitFor();
    await page.getByRole('button', { name: 'Give a floating address' }).click();
    await submit(page);
    await page.locator('.lines li', { hasText: '198.51.100.' }).waitFor();
    await page.getByRole('button', { name: /Take 198/ }).click();
    await page.locator('.lines li', { hasText: '198.51.100.' }).waitFor({ state: 'detached' });
    await state('Running');
    await act('Rebuild');
    await dialog.getByLabel('Image').waitFor();
    await submit(page);
    await state('Running');
    await page.getByRole('tab', { name: 'Time line' }).click();
    await page.locator('.step', { hasText: 'rebuild' }).first().waitFor();
    await go('/images');
    await page.getByRole('link', { name: 'picture' }).waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 240_000);

  it('of a volume, by the shapes of API v1', async () => {
    const visit = await stage.open();
    const { page } = visit;
    const calls = await volumeApi(page);
    await visit.login(person);
    await visit.go('/volumes');
    await page.getByText('data-1').waitFor();
    expect(await barriers(page)).toEqual([]);
    await page.getByRole('button', { name: 'Create a volume' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('new');
    await submit(page);
    expect(calls.at(-1)).toMatchObject({
      method: 'POST',
      path: 'volumes',
      body: { volume: { size: 1, display_name: 'new' } },
    });
    await choose(page, 'Actions for data-1', 'Take a snapshot');
    await submit(page);
    expect(calls.at(-1)).toMatchObject({
      path: 'snapshots',
      body: { snapshot: { volume_id: 'v1', force: false } },
    });
    await choose(page, 'Actions for data-1', 'Rename');
    await page.getByRole('dialog').getByLabel('Name').fill('other');
    await submit(page);
    expect(calls.at(-1)).toMatchObject({
      method: 'PUT',
      path: 'volumes/v1',
      body: { volume: { display_name: 'other' } },
    });
    await choose(page, 'Actions for data-1', 'Delete');
    await submit(page);
    expect(calls.at(-1)).toMatchObject({ method: 'DELETE', path: 'volumes/v1' });
    await page.getByRole('tab', { name: 'Snapshots' }).click();
    await page.getByText('monday').waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  it('leaves pictures', async () => {
    mkdirSync(PICTURES, { recursive: true });
    await boot(['mail', 'shop', 'search', 'builds']);
    const failing = await stage.ask(person, 'compute', 'POST', `/v2/${person.project}/servers`, {
      server: {
        name: 'too-large',
        imageRef: (await stage.ask(person, 'image', 'GET', '/v1/images')).body.images[0].id,
        flavorRef: '1',
        'OS-SCH-HNT:scheduler_hints': { different_host: ['x'] },
      },
    });
    expect(failing.status).toBe(202);
    const draw = async (
      name: string,
      path: string,
      options: Parameters<Stage['open']>[0],
      before?: (page: Page) => Promise<unknown>,
    ) => {
      const visit = await stage.open(options);
      await visit.login(path.startsWith('/system') ? stage.admin : person);
      await visit.go(path);
      await before?.(visit.page);
      await visit.page.screenshot({ path: join(PICTURES, `${name}.png`) });
      await visit.close();
    };
    const light = { viewport: { width: 1180, height: 740 } };
    const dark = { ...light, colorScheme: 'dark' as const };
    const phone = { viewport: { width: 390, height: 740 } };
    await draw('overview-light', '/', light);
    await draw('overview-dark', '/', dark);
    await draw('instances-phone', '/instances', phone);
    await draw('instances-light', '/instances', light);
    await draw('launch-light', '/instances', light, async page => {
      await page.getByRole('button', { name: 'Launch an instance' }).first().click();
      await page.getByRole('dialog').getByText('of 20').waitFor();
    });
    await draw('system-dark', '/system', dark);
  }, 240_000);
});

interface Call {
  method: string;
  path: string;
  body: unknown;
}

/** Until the cloud has volumes: the service in the catalog, and its answers. */
async function volumeApi(page: Page): Promise<Call[]> {
  const calls: Call[] = [];
  const volume = (id: string, name: string, status: string, attachments: object[] = []) => ({
    id,
    display_name: name,
    display_description: '',
    status,
    size: 2,
    volume_type: 'None',
    snapshot_id: null,
    created_at: '2012-10-01T10:00:00.000000',
    availability_zone: 'nova',
    attachments: attachments.length === 0 ? [{}] : attachments,
    metadata: {},
  });
  const answers: Record<string, object> = {
    'volumes/detail': {
      volumes: [
        volume('v1', 'data-1', 'available'),
        volume('v2', 'data-2', 'in-use', [
          { id: 'v2', volume_id: 'v2', server_id: 's1', device: '/dev/vdb' },
        ]),
      ],
    },
    'snapshots/detail': {
      snapshots: [
        {
          id: 's1',
          display_name: 'monday',
          status: 'available',
          size: 2,
          volume_id: 'v1',
          created_at: '2012-10-01T10:00:00',
        },
      ],
    },
    types: { volume_types: [{ id: '1', name: 'fast' }] },
  };
  await page.route('**/api/session', async route => {
    const answer = await route.fetch();
    const body = (await answer.json()) as { services?: string[] };
    if (body.services) body.services.push('volume');
    await route.fulfill({ response: answer, json: body });
  });
  await page.route('**/api/cloud/volume/**', route => {
    const request = route.request();
    const path = new URL(request.url()).pathname.replace('/api/cloud/volume/', '');
    if (request.method() === 'GET') return route.fulfill({ json: answers[path] ?? {} });
    calls.push({ method: request.method(), path, body: request.postDataJSON() });
    return route.fulfill({ status: 202, json: {} });
  });
  return calls;
}
