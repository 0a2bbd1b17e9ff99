import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { eventually } from '@folsom/testing';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { barriers, CHROMIUM, choose, type Stage, setStage, submit, type Visit } from './stage.ts';

if (CHROMIUM === undefined) console.warn('skipped: chromium not installed');

describe.skipIf(!needs('chromium', CHROMIUM !== undefined))('the web console in Chromium', () => {
  let stage: Stage;
  let dir: string;
  let open: Visit | undefined;
  beforeAll(async () => {
    [stage, dir] = await Promise.all([setStage(), mkdtemp(join(tmpdir(), 'folsom-console-files-'))]);
  });
  afterEach(async () => {
    const complaints = open?.complaints;
    await open?.close();
    open = undefined;
    expect(complaints ?? []).toEqual([]);
  });
  afterAll(async () => {
    await stage?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const visit = async (name?: string, options?: Parameters<Stage['open']>[0]): Promise<Visit> => {
    open = await stage.open(options);
    if (name !== undefined) await open.login(name === 'admin' ? stage.admin : await stage.person(name));
    return open;
  };

  const projectOf = (page: Page) =>
    page.evaluate(
      `fetch('/api/session').then(answer => answer.json()).then(user => user.project.id)`,
    ) as Promise<string>;
  const cell = (page: Page, text: string | RegExp) => page.locator('tbody tr', { hasText: text });

  it('logs in with the cloud’s own user, keeps its token from the page, and logs out', async () => {
    const { page, context, go } = await visit();
    await page.goto(`${stage.url}/instances?next=//evil.example.org`);
    expect(await barriers(page)).toEqual([]);
    await page.fill('[name=username]', 'admin');
    await page.fill('[name=password]', 'wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'wrong' }).waitFor();
    await page.fill('[name=password]', stage.admin.password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Instances', level: 1 }).waitFor();
    expect(new URL(page.url()).origin).toBe(stage.url);
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/', expires: -1 });
    expect(
      await page.evaluate('document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })'),
    ).toBe('{}');
    expect(await page.evaluate(`fetch('/api/session').then(r => r.text())`)).not.toMatch(/"token"/);
    await choose(page, /You: admin/, 'Log out');
    await page.getByRole('heading', { name: 'Log in to Folsom' }).waitFor();
    await context.addCookies([cookie!]);
    await go('/system');
    await page.getByRole('heading', { name: 'Log in to Folsom' }).waitFor();
  });

  it('launches an instance with a key made in place, and follows it', async () => {
    const { page, go } = await visit('launcher');
    await go('/');
    await page.getByText('Nothing has failed').waitFor();
    await page.getByRole('button', { name: 'Launch an instance' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name', { exact: true }).fill('first <b>one</b>');
    await dialog.getByLabel('The key pair').fill('fresh');
    await dialog.getByLabel('User data').fill('#!/bin/sh\necho hello');
    await dialog.getByText('1 of 10').waitFor();
    const download = page.waitForEvent('download');
    await submit(page);
    const file = await (await download).path();
    expect(await readFile(file, 'utf8')).toContain('PRIVATE KEY');
    await page.getByRole('heading', { name: 'first <b>one</b>' }).waitFor();
    await page.locator('.badge.good', { hasText: 'Running' }).waitFor();
    await page.getByText('10.0.0.').first().waitFor();
    expect(await barriers(page)).toEqual([]);

    await page.getByRole('tab', { name: 'Console log' }).click();
    await page.locator('pre.console').filter({ hasText: /\S/ }).waitFor();
    await page.getByRole('tab', { name: 'Screen' }).click();
    await page.getByText('The screen cannot be reached').waitFor();
    await page.getByRole('tab', { name: 'Time line' }).click();
    await page.locator('.step', { hasText: 'nova-compute' }).first().waitFor();
    // noVNC says so when a screen cannot be reached: the fake hypervisor has none.
    open!.complaints.length = 0;

    await choose(page, /^Actions/, 'Rename');
    await page.getByRole('dialog').getByLabel('Name').fill('renamed');
    await submit(page);
    await page.getByRole('heading', { name: 'renamed' }).waitFor();
    await choose(page, /^Actions/, 'Switch off');
    await page.locator('.page-head .badge', { hasText: 'Switched off' }).waitFor();
    await go('/instances');
    await cell(page, 'renamed').getByText('Switched off').waitFor();
    await choose(page, 'Actions for renamed', 'Start');
    await cell(page, 'renamed').getByText('Running').waitFor();
    await choose(page, 'Actions for renamed', 'Delete');
    await submit(page);
    await page.getByText('No instances yet').waitFor();
  });

  it('takes an image with progress, shows and shares it', async () => {
    const { page, go } = await visit('painter');
    const file = join(dir, 'tiny.raw');
    await writeFile(file, Buffer.alloc(3 * 1024 * 1024, 7));
    await go('/images');
    await page.getByRole('button', { name: 'Add an image' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('File').setInputFiles(file);
    await dialog.getByLabel('Name', { exact: true }).fill('画 tiny');
    await submit(page);
    await cell(page, '画 tiny').getByText('Ready').waitFor();
    await cell(page, '画 tiny').getByText('3 MB').waitFor();
    await choose(page, 'Actions for 画 tiny', 'Edit');
    await page.getByRole('button', { name: 'Add one more' }).click();
    await page.getByPlaceholder('Name').fill('colour');
    await page.getByPlaceholder('Value').fill('grün');
    await submit(page);
    await page.getByRole('link', { name: '画 tiny' }).click();
    await page.getByText('grün').waitFor();
    await page.getByRole('heading', { name: '画 tiny' }).waitFor();
    await choose(page, /^Actions/, 'Share');
    const share = page.getByRole('dialog');
    await share.getByLabel('ID of the project').fill(stage.admin.project);
    await share.getByRole('button', { name: 'Share', exact: true }).click();
    await share.getByText(stage.admin.project).waitFor();
    await page.keyboard.press('Escape');
    const [saved] = await Promise.all([page.waitForEvent('download'), choose(page, /^Actions/, 'Download')]);
    expect(saved.suggestedFilename()).toBe('画 tiny.raw');
    expect((await readFile(await saved.path())).byteLength).toBe(3 * 1024 * 1024);
    await choose(page, /^Actions/, 'Delete');
    await submit(page);
    await go('/images');
    await page.getByRole('link', { name: 'guest' }).waitFor();
    expect(await cell(page, '画 tiny').count()).toBe(0);
  });

  it('opens a port in words, takes addresses and gives them back', async () => {
    const { page, go } = await visit('networker');
    await go('/network?tab=groups');
    await page.getByRole('link', { name: 'default' }).click();
    await page.getByText('Nothing is let in').waitFor();
    await page.getByRole('button', { name: 'Add a rule' }).click();
    await submit(page);
    await page.getByText('Anyone may reach SSH (TCP port 22)').waitFor();
    await page.getByRole('button', { name: 'Add a rule' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('What is let in').selectOption('custom');
    await dialog.getByLabel('First port').fill('8000');
    await dialog.getByLabel('Last port').fill('8010');
    await dialog.getByLabel('Network', { exact: true }).fill('192.0.2.0/24');
    await submit(page);
    await page.getByText('The network 192.0.2.0/24 may reach TCP ports 8000 to 8010').waitFor();
    await page.getByRole('button', { name: /^Remove: Anyone/ }).click();
    await cell(page, 'Anyone may reach SSH').waitFor({ state: 'detached' });
    await go('/network');
    await page.getByRole('button', { name: 'Take one from a pool' }).click();
    await submit(page);
    await cell(page, '198.51.100.').getByText('Free').waitFor();

    const owner = { name: 'networker', password: 'networker-password', project: await projectOf(page) };
    const { body: images } = await stage.ask(owner, 'image', 'GET', '/v1/images');
    const made = await stage.ask(owner, 'compute', 'POST', `/v2/${owner.project}/servers`, {
      server: { name: 'entrance', imageRef: images.images[0].id, flavorRef: '1' },
    });
    await eventually(async () => {
      const path = `/v2/${owner.project}/servers/${made.body.server.id}`;
      return (await stage.ask(owner, 'compute', 'GET', path)).body.server.status;
    }).toBe('ACTIVE');
    await go('/network');
    const targets = page.getByRole('region', { name: 'Where addresses lead' }).getByRole('listitem');
    await cell(page, '198.51.100.').dragTo(targets.filter({ hasText: 'entrance' }));
    await cell(page, '198.51.100.').getByRole('link', { name: 'entrance' }).waitFor();
    await targets.filter({ hasText: /entrance.*198\.51\.100/ }).waitFor();
    expect(await barriers(page)).toEqual([]);
    await cell(page, '198.51.100.').dragTo(targets.filter({ hasText: 'Free' }));
    await cell(page, '198.51.100.').getByText('Free').waitFor();
    await choose(page, /Actions for 198/, 'Give back');
    await submit(page);
    await page.getByText('No floating addresses yet').waitFor();
    await go('/keys');
    await page.getByRole('button', { name: 'Create a key pair' }).click();
    await page.getByRole('dialog').getByLabel('The key pair').fill('mine');
    await Promise.all([page.waitForEvent('download'), submit(page)]);
    await cell(page, 'mine').waitFor();
  });

  it('stores objects: files and folders, pages, metadata, temporary and public addresses', async () => {
    const { page, go } = await visit('keeper');
    const names = ['a.txt', 'ü & <x>.html'];
    for (const name of names) await writeFile(join(dir, name), `content of ${name}`);
    await go('/objects');
    await page.getByRole('button', { name: 'Create a container' }).first().click();
    await page.getByRole('dialog').getByLabel('Name').fill('box');
    await submit(page);
    await page.getByRole('link', { name: 'box' }).click();
    await page.locator('input[data-kind=files]').setInputFiles(names.map(name => join(dir, name)));
    for (const name of names) await cell(page, name).waitFor();
    expect(await barriers(page)).toEqual([]);
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: names[1]! }).click(),
    ]);
    expect(await readFile(await saved.path(), 'utf8')).toBe(`content of ${names[1]}`);

    const tree = join(dir, 'tree');
    await mkdir(join(tree, 'deep'), { recursive: true });
    await writeFile(join(tree, 'top.txt'), 'top');
    await writeFile(join(tree, 'deep', 'leaf.txt'), 'leaf');
    await page.locator('input[data-kind=folder]').setInputFiles(tree);
    await page.getByText('Everything is uploaded').first().waitFor();
    await page.getByRole('link', { name: 'tree/' }).click();
    await cell(page, 'top.txt').waitFor();
    await page.getByRole('link', { name: 'deep/' }).click();
    await cell(page, 'leaf.txt').waitFor();
    await go('/objects/box');

    await page.getByRole('button', { name: 'New folder' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('inner');
    await submit(page);
    await page.getByRole('link', { name: 'inner/' }).click();
    await page.getByText('Nothing in here').waitFor();
    await page.locator('input[data-kind=files]').setInputFiles(join(dir, 'a.txt'));
    await cell(page, 'a.txt').waitFor();
    await choose(page, /Actions for inner\/a.txt/, 'Metadata');
    await page.getByRole('button', { name: 'Add one more' }).click();
    await page.getByPlaceholder('Name').fill('kind');
    await page.getByPlaceholder('Value').fill('späße');
    await submit(page);
    await choose(page, /Actions for inner\/a.txt/, 'Metadata');
    await eventually(() => page.getByPlaceholder('Value').inputValue()).toBe('späße');
    await page.keyboard.press('Escape');

    await choose(page, /Actions for inner\/a.txt/, 'Temporary URL');
    await page.getByRole('button', { name: 'Make the address' }).click();
    const url = await page.locator('dialog code').textContent();
    const signed = await fetch(url!);
    expect(await signed.text()).toBe('content of a.txt');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Make it public' }).click();
    await page.getByText('Public: everybody may read it').waitFor();
    const open = await page.locator('.hint code').textContent();
    expect((await fetch(`${open}a.txt`)).status).toBe(200);
    await page.getByRole('button', { name: 'Make it private' }).click();
    await page.getByRole('button', { name: 'Make it public' }).waitFor();
    expect((await fetch(`${open}a.txt`)).status).toBe(401);

    await go('/objects/box');
    await page.getByRole('checkbox', { name: 'Choose inner/' }).check();
    await page.getByRole('button', { name: 'Delete 1' }).click();
    await submit(page);
    await cell(page, 'inner/').waitFor({ state: 'detached' });
  });

  it('makes projects, users, members and quotas, and lets nobody else do so', async () => {
    const { page, go } = await visit('admin');
    await go('/identity');
    await page.getByRole('button', { name: 'Create a project' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('research');
    await submit(page);
    await go('/identity?tab=users');
    await page.getByRole('button', { name: 'Create a user' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('User name').fill('rita');
    await dialog.getByLabel('Password').fill('ritas-password');
    await dialog.getByLabel('Project').selectOption({ label: 'research' });
    await submit(page);
    await go('/identity');
    await page.getByRole('link', { name: 'research' }).click();
    await cell(page, 'rita').getByText('Member').waitFor();
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByRole('dialog').getByLabel('Instances').fill('3');
    await submit(page);
    await page.locator('.facts div', { hasText: 'Instances' }).getByText('3', { exact: true }).waitFor();
    await go('/system');
    await page.getByText('nova-compute').waitFor();
    await go('/system?tab=flavors');
    await page.getByText('m1.tiny').waitFor();
    await open!.close();
    open = await stage.open();
    await open.login({ name: 'rita', password: 'ritas-password', project: '' });
    const links = await open.page.locator('#nav a').allTextContents();
    expect(links.join()).not.toMatch(/Identity|System/);
    const refused =
      await open.page.evaluate(`Promise.all(['identity-admin/v2.0/users', 'compute/os-hosts', 'identity-admin/v2.0/tenants/x/users'].map(
      path => fetch('/api/cloud/' + path).then(answer => answer.status)).concat(fetch('/api/metrics').then(answer => answer.status)))`);
    expect(refused).toEqual([403, 403, 403, 403]);
  });

  it('gives files for the command line, EC2 pairs and a new password', async () => {
    const { page, go } = await visit("o'brien");
    await go('/account');
    const [rc] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'openrc' }).click(),
    ]);
    expect(await readFile(await rc.path(), 'utf8')).toContain(`OS_USERNAME='o'\\''brien'`);
    await page.getByRole('button', { name: 'Make a pair' }).click();
    await page.locator('tbody code').first().waitFor();
    await page.getByRole('button', { name: 'Change your password' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Old password').fill("o'brien-password");
    await dialog.getByLabel('New password', { exact: true }).fill('another');
    await dialog.getByLabel('New password again').fill('another');
    await dialog.locator('button[type=submit]').click();
    await page.getByRole('heading', { name: 'Log in to Folsom' }).waitFor();
  });

  it('finds lines of the log and draws metrics for administrators, and for nobody else', async () => {
    const { page, go } = await visit('admin');
    await go('/system?tab=metrics');
    const requests = page.getByRole('slider', { name: /^Answers to requests/ });
    await requests.focus();
    await page.keyboard.press('ArrowLeft');
    await eventually(() => requests.getAttribute('aria-valuetext')).toMatch(/:\d\d: done \(2xx\) /);
    const memory = page.locator('.card', { hasText: 'Memory of the process' });
    await memory.locator('.legend', { hasText: /resident \d+ MB/ }).waitFor();
    expect(await memory.locator('path').first().getAttribute('d')).toMatch(/^M/);
    await page.locator('.card', { hasText: 'Boots by step' }).waitFor();
    await go('/system?tab=logs');
    await page.getByLabel('Words').fill('POST /API/session');
    await page.getByLabel('Service').fill('console-web');
    await page.keyboard.press('Enter');
    const found = cell(page, 'POST /api/session -> 200');
    // Those that the page began with give way.
    await eventually(() => cell(page, 'nova-').count()).toBe(0);
    const link = found.first().getByRole('link');
    const id = await link.textContent();
    await link.click();
    await page.locator('.step', { hasText: 'POST /api/session' }).waitFor();
    expect(await page.getByLabel("A request's ID").inputValue()).toBe(id);
  });

  it('refuses what belongs to others, in every address', async () => {
    const owner = await stage.person('owner');
    const v2 = `/v2/${owner.project}`;
    const { body: images } = await stage.ask(owner, 'image', 'GET', '/v1/images');
    const made = await stage.ask(owner, 'compute', 'POST', `${v2}/servers`, {
      server: { name: 'secret-server', imageRef: images.images[0].id, flavorRef: '1' },
    });
    const server = made.body.server.id;
    const group = (
      await stage.ask(owner, 'compute', 'POST', `${v2}/os-security-groups`, {
        security_group: { name: 'secret-group', description: 'x' },
      })
    ).body.security_group.id;
    await stage.ask(owner, 'objectProxy', 'PUT', `/v1/AUTH_${owner.project}/secret-box`);
    const image = await stage.ask(owner, 'image', 'POST', '/v2/images', {
      name: 'secret-image',
      visibility: 'private',
    });

    const { page, go } = await visit('stranger');
    for (const path of [
      `/instances/${server}`,
      `/instances/${server}?tab=log`,
      `/images/${image.body.id}`,
      `/network/groups/${group}`,
      '/objects/secret-box',
      `/identity/projects/${owner.project}`,
      '/identity',
      '/system',
    ]) {
      await go(path);
      await page.locator('.empty, .problem').first().waitFor();
      expect(await page.locator('main').textContent(), path).not.toMatch(/secret-(server|image|group|box\/)/);
    }
    const statuses = await page.evaluate(`(async () => {
      const { csrf } = await (await fetch('/api/session')).json();
      const send = (method, path, body) => fetch('/api/cloud/' + path, { method, body, headers: { 'x-csrf-token': csrf, 'content-type': 'application/json' } }).then(answer => answer.status);
      return Promise.all([
        send('GET', 'compute/servers/${server}'),
        send('DELETE', 'compute/servers/${server}'),
        send('POST', 'compute/servers/${server}/action', '{"os-getConsoleOutput":{}}'),
        send('GET', 'compute/os-security-groups/${group}'),
        send('GET', 'compute/os-quota-sets/${owner.project}'),
        send('GET', 'image/v1/images/${image.body.id}'),
        send('GET', 'object-store/secret-box'),
        send('GET', 'object-store/../AUTH_${owner.project}/secret-box'),
        send('GET', 'identity-admin/v2.0/tenants/${owner.project}'),
        send('PUT', 'compute/os-quota-sets/${owner.project}', '{"quota_set":{"cores":1}}'),
      ]);
    })()`);
    expect((statuses as number[]).map(status => status >= 400 && status < 500)).toEqual(Array(10).fill(true));
    expect(
      await page.evaluate(
        `fetch('/api/session/project', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ id: '${owner.project}' }) }).then(answer => answer.status)`,
      ),
    ).toBe(403);
  });

  it('can be used by everybody: no barriers on any page, light and dark, in Chinese, on a phone', async () => {
    const paths = [
      '/',
      '/instances',
      '/images',
      '/keys',
      '/network',
      '/network?tab=groups',
      '/objects',
      '/identity',
      '/account',
      '/system',
      '/system?tab=flavors',
      '/system?tab=logs',
      '/system?tab=metrics',
    ];
    const { page, go, login } = await visit(undefined, {
      colorScheme: 'dark',
      locale: 'zh-CN',
      viewport: { width: 390, height: 844 },
    });
    await login(stage.admin);
    for (const path of paths) {
      await go(path);
      expect(await barriers(page), path).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(390);
      // What the log says is nobody's translation.
      await page.evaluate('document.querySelectorAll(".log-line").forEach(line => line.remove())');
      expect(await page.locator('main').textContent(), path).not.toMatch(
        /\b[a-z]+\.[a-zA-Z]+\b(?<!m1\.\w+)(?<!clouds\.yaml)/,
      );
    }
    await page.getByRole('button', { name: '菜单' }).click();
    await page.getByRole('link', { name: '实例' }).click();
    await page.getByRole('heading', { name: '实例' }).waitFor();
    await page.getByRole('button', { name: '创建实例' }).first().click();
    await page.getByRole('dialog').getByText('浏览器').waitFor();
    expect(await barriers(page)).toEqual([]);
  });
});
