import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningProgram, startProgram } from '@folsom/testing';
import axe from 'axe-core';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { PORTS } from '../../deploy/folsom/layout.ts';
import { PORT_OFFSETS } from '../port-offsets.ts';

export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);

/** Out of everybody's way. */
const OFFSET = PORT_OFFSETS.console;
const ADMIN_PASSWORD = 'the-admin-of-this-test';

export interface Person {
  name: string;
  password: string;
  project: string;
}

/** A whole cloud with the fake hypervisor, and a browser. */
export interface Stage {
  url: string;
  admin: Person;
  /** Somebody new, in a project of his own: nobody uses up another's rate limits. */
  person(name: string): Promise<Person>;
  /** Asks a service itself, as somebody. */
  ask(who: Person, port: keyof typeof PORTS, method: string, path: string, body?: unknown): Promise<Answer>;
  open(options?: BrowserContextOptions): Promise<Visit>;
  stop(): Promise<void>;
}

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test knows what it asked for
  body: any;
}

/** One browser window, and what went wrong in it. */
export interface Visit {
  context: BrowserContext;
  page: Page;
  /** Scripts that failed, and everything that the page's security policy stopped. */
  complaints: string[];
  login(who: Person): Promise<void>;
  /** Opens a page of the console and waits until it is there. */
  go(path: string): Promise<void>;
  close(): Promise<void>;
}

export async function setStage(): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), 'folsom-console-'));
  const state = join(dir, 'var');
  const cloud: RunningProgram = await startProgram(
    'folsom',
    [
      ...['up', '--state-dir', state, '--ports-offset', String(OFFSET), '--compute-driver', 'fake'],
      // Documentation addresses: nothing is reached by them.
      ...['--floating-range', '198.51.100.0/28'],
    ],
    {
      logFile: join(dir, 'terminal.log'),
      until: /^ready in [\d.]+ s$/m,
      timeoutMs: 180_000,
      env: { FOLSOM_ADMIN_PASSWORD: ADMIN_PASSWORD },
    },
  );
  const browser: Browser = await chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox'] });
  const url = /Web console: (http:\S+?)\/?\s/.exec(await readFile(join(dir, 'terminal.log'), 'utf8'))![1]!;
  const at = (port: keyof typeof PORTS) => `http://127.0.0.1:${PORTS[port] + OFFSET}`;

  const send = async (target: string, method: string, body: unknown, token?: string): Promise<Answer> => {
    const answer = await fetch(target, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { 'x-auth-token': token }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: /^[[{]/.test(text) ? JSON.parse(text) : text };
  };
  const tokens = new Map<string, Promise<string>>();
  /** A password is checked slowly, and once is enough. */
  const tokenOf = (who: Person): Promise<string> => {
    const known = tokens.get(who.name) ?? login(who);
    tokens.set(who.name, known);
    return known;
  };
  const login = async ({ name, password, project }: Person): Promise<string> => {
    const auth = { tenantId: project, passwordCredentials: { username: name, password } };
    const { body } = await send(`${at('identityPublic')}/v2.0/tokens`, 'POST', { auth });
    return body.access.token.id;
  };
  const ask: Stage['ask'] = async (who, port, method, path, body) =>
    send(at(port) + path, method, body, await tokenOf(who));

  const first = { username: 'admin', password: ADMIN_PASSWORD };
  const access = await send(`${at('identityPublic')}/v2.0/tokens`, 'POST', {
    auth: { tenantName: 'admin', passwordCredentials: first },
  });
  const admin: Person = {
    name: 'admin',
    password: ADMIN_PASSWORD,
    project: access.body.access.token.tenant.id,
  };

  const person = async (name: string): Promise<Person> => {
    const tenant = await ask(admin, 'identityAdmin', 'POST', '/v2.0/tenants', {
      tenant: { name: `${name}-project`, enabled: true },
    });
    const project = tenant.body.tenant.id as string;
    const password = `${name}-password`;
    const user = await ask(admin, 'identityAdmin', 'POST', '/v2.0/users', {
      user: { name, password, tenantId: project, enabled: true },
    });
    const { body } = await ask(admin, 'identityAdmin', 'GET', '/v2.0/OS-KSADM/roles');
    const member = body.roles.find((role: { name: string }) => role.name === 'Member').id;
    await ask(
      admin,
      'identityAdmin',
      'PUT',
      `/v2.0/tenants/${project}/users/${user.body.user.id}/roles/OS-KSADM/${member}`,
    );
    return { name, password, project };
  };

  return {
    url,
    admin,
    person,
    ask,
    open: options => visit(browser, url, options),
    stop: async () => {
      await browser.close();
      await cloud.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A window of a browser on the console at an address. */
export async function visit(browser: Browser, url: string, options?: BrowserContextOptions): Promise<Visit> {
  const context = await browser.newContext({
    locale: 'en-GB',
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  context.setDefaultTimeout(40_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(error.stack ?? String(error)));
  page.on('console', message => {
    // What a service refuses is no complaint of the page.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
  const go = async (path: string) => {
    await page.goto(url + path);
    await page.locator('main h1, main .empty').first().waitFor();
    await page.locator('.loading').waitFor({ state: 'detached' });
  };
  return {
    context,
    page,
    complaints,
    go,
    login: async who => {
      await page.goto(`${url}/login`);
      await page.fill('[name=username]', who.name);
      await page.fill('[name=password]', who.password);
      await page.click('button[type=submit]');
      await page.locator('.shell').waitFor();
    },
    close: () => context.close(),
  };
}

/** What axe finds wrong, each with its place. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = (await page.evaluate(`axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'],
  }).then(result => result.violations.flatMap(rule => rule.nodes.map(node => rule.id + ': ' + node.html.slice(0, 200) + ' ' + (node.any[0]?.message ?? ''))))`)) as string[];
  return found;
}

/** Chooses an entry of the menu that a button opens. */
export async function choose(page: Page, menu: string | RegExp, entry: string): Promise<void> {
  await page.getByRole('button', { name: menu }).first().click();
  await page.getByRole('menuitem', { name: entry, exact: true }).click();
}

/** Sends the form of the open dialog and waits until it is done. */
export async function submit(page: Page): Promise<void> {
  const dialog = page.locator('dialog[open]');
  await dialog.locator('button[type=submit]').click();
  await dialog.waitFor({ state: 'detached' });
}
