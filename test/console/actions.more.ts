import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needs } from '@folsom/core/testing';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriers, CHROMIUM, choose, type Person, type Stage, setStage, submit } from './stage.ts';

const PICTURES = fileURLToPath(new URL('../../docs/console', import.meta.url));

/** By `npm run test:console`: what takes too long for every run. */
describe.skipIf(!needs('chromium', CHROMIUM !== undefined))('every action', () => {
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

  it('of a volume: made, copied, attached, started from, deleted', async () => {
    const visit = await stage.open();
    const { page, go } = visit;
    await visit.login(person);
    await go('/volumes');
    const row = (name: string) => page.getByRole('row', { name: new RegExp(`^(Choose ${name} )?${name} `) });
    const is = (name: string, state: string) => row(name).getByText(state, { exact: true }).waitFor();
    const dialog = page.getByRole('dialog');
    const create = async (name: string, image?: string) => {
      await page.getByRole('button', { name: 'Create a volume' }).click();
      await dialog.getByLabel('Name').fill(name);
      if (image !== undefined) await dialog.getByLabel('From an image').selectOption({ index: 1 });
      await submit(page);
      await is(name, 'Available');
    };
    await create('data');
    expect(await barriers(page)).toEqual([]);
    await choose(page, 'Actions for data', 'Take a snapshot');
    await dialog.getByLabel('Name').fill('monday');
    await submit(page);
    await page.getByRole('tab', { name: 'Snapshots' }).click();
    await is('monday', 'Available');
    await choose(page, 'Actions for monday', 'From a snapshot');
    await dialog.getByLabel('Name').fill('copy');
    await submit(page);
    await page.getByRole('tab', { name: 'Volumes' }).click();
    await is('copy', 'Available');
    await create('system', 'guest');

    await boot(['holder']);
    await go('/instances');
    await row('holder').getByText('Running').waitFor();
    await go('/volumes');
    await choose(page, 'Actions for data', 'Attach a volume');
    await dialog.getByLabel('Instance').selectOption({ label: 'holder' });
    await submit(page);
    await is('data', 'In use');
    await row('data').getByRole('link', { name: 'holder' }).waitFor();
    await page.getByRole('button', { name: 'Actions for data' }).click();
    expect(await page.getByRole('menuitem').allTextContents()).toEqual([
      'Detach',
      'Take a snapshot',
      'Rename',
    ]);
    await page.getByRole('menuitem', { name: 'Detach' }).click();
    await is('data', 'Available');

    await choose(page, 'Actions for system', 'Start an instance from it');
    await dialog.getByLabel('Name', { exact: true }).fill('from-disk');
    await dialog.getByLabel('Key pair', { exact: true }).selectOption('');
    expect(await dialog.getByLabel('Starts from').inputValue()).not.toBe('');
    expect(await barriers(page)).toEqual([]);
    await submit(page);
    await page.locator('h1', { hasText: 'from-disk' }).waitFor();
    await page.getByText('Running', { exact: true }).first().waitFor();
    await go('/volumes');
    await is('system', 'In use');
    await row('system').locator('code', { hasText: 'vda' }).waitFor();

    await choose(page, 'Actions for copy', 'Delete');
    await submit(page);
    await row('copy').waitFor({ state: 'detached' });
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 240_000);

  it('of an upload: its progress is seen, and it can be called off', async () => {
    const visit = await stage.open();
    const { page, go } = visit;
    await visit.login(person);
    await stage.ask(person, 'objectProxy', 'PUT', `/v1/AUTH_${person.project}/slow`);
    await go('/objects/slow');
    const held: (() => Promise<void>)[] = [];
    await page.route('**/object-store/slow/*', route =>
      route.request().method() === 'PUT' ? void held.push(() => route.continue()) : route.continue(),
    );
    await page.locator('input[data-kind=files]').setInputFiles(
      ['kept.bin', 'dropped.bin'].map(name => ({
        name,
        mimeType: 'application/octet-stream',
        buffer: Buffer.alloc(100_000, 1),
      })),
    );
    const running = page.getByRole('list', { name: 'Uploads' });
    await running.getByRole('progressbar', { name: 'dropped.bin' }).waitFor();
    expect(await barriers(page)).toEqual([]);
    await running.getByRole('button', { name: 'Cancel dropped.bin' }).click();
    await running.getByText('dropped.bin').waitFor({ state: 'detached' });
    for (const go of held) await go().catch(() => {});
    await page.locator('tbody tr', { hasText: 'kept.bin' }).waitFor();
    expect(await page.locator('tbody tr', { hasText: 'dropped.bin' }).count()).toBe(0);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  }, 240_000);

  it('leaves pictures', async () => {
    mkdirSync(PICTURES, { recursive: true });
    await boot(['mail', 'shop', 'search', 'builds']);
    const failing = await stage.ask(person, 'compute', 'POST', `/v2/${person.project}/servers`, {
      server: {
        name: 'elsewhere',
        imageRef: (await stage.ask(person, 'image', 'GET', '/v1/images')).body.images[0].id,
        flavorRef: '1',
        availability_zone: 'nowhere',
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
    await draw('overview-light', '/', light, page => page.locator('.bad-text').first().waitFor());
    await draw('overview-dark', '/', dark);
    await draw('instances-phone', '/instances', phone);
    await draw('instances-light', '/instances', light);
    await draw('launch-light', '/instances', light, async page => {
      await page.getByRole('button', { name: 'Launch an instance' }).first().click();
      await page.getByRole('dialog').getByText('of 20').waitFor();
    });
    await draw('system-dark', '/system', dark);
    const full = { viewport: { width: 1180, height: 1180 } };
    await draw('metrics-light', '/system?tab=metrics', full, async page => {
      await page.locator('.bars li', { hasText: 'spawn' }).waitFor();
    });
    await draw('log-light', '/system?tab=logs', light, async page => {
      await page.getByLabel('Service').fill('nova-compute');
      await page.keyboard.press('Enter');
      await page.locator('tbody tr', { hasText: 'nova-compute' }).first().waitFor();
      await page.locator('tbody tr', { hasText: 'console-web' }).waitFor({ state: 'detached' });
    });
  }, 240_000);
});
