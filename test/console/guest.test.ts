import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import {
  canMakeNamespaces,
  type HostNamespace,
  hostNamespace,
  type RunningProgram,
  SLOW,
  startProgram,
} from '@folsom/testing';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { giveGuestImage } from '../guest-image.ts';
import { CHROMIUM, submit, visit } from './stage.ts';

const possible = [
  needs('FOLSOM_SLOW=1', SLOW),
  needs('chromium', CHROMIUM !== undefined),
  needs('root and libvirt', canMakeNamespaces() && existsSync('/usr/sbin/libvirtd')),
].every(Boolean);
const MINUTE_MS = 60_000;
const PASSWORD = 'the-admin-of-this-test';
/** Lets root log in without a password: only the screen leads there. */
const USER_DATA = "#!/bin/sh\nsed -i 's/^root:[^:]*:/root::/' /etc/shadow\n";

describe.skipIf(!possible)('the web console with a real guest', () => {
  let dir: string;
  let host: HostNamespace;
  let cloud: RunningProgram;
  let browser: Browser;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'folsom-console-guest-'));
    host = await hostNamespace(`fc${process.pid % 100_000}`, ['192.0.2.10/24']);
    const state = join(dir, 'var');
    // A host without a way out cannot download packages: it gets an image built before.
    await giveGuestImage(state);
    cloud = await startProgram('folsom', ['up', '--state-dir', state, '--compute-driver', 'libvirt'], {
      logFile: join(dir, 'terminal.log'),
      enter: host.enter,
      until: /^ready in [\d.]+ s$/m,
      timeoutMs: 5 * MINUTE_MS,
      env: { FOLSOM_ADMIN_PASSWORD: PASSWORD },
    });
    // The browser runs on the host, too.
    const inside = join(dir, 'chromium');
    await writeFile(inside, `#!/bin/sh\nexec ${[...host.enter, CHROMIUM].join(' ')} "$@"\n`, { mode: 0o755 });
    browser = await chromium.launch({
      executablePath: inside,
      args: ['--no-sandbox'],
      timeout: 2 * MINUTE_MS,
    });
  }, 12 * MINUTE_MS);
  afterAll(async () => {
    await browser?.close();
    await cloud?.stop();
    await host?.remove();
    await rm(dir, { recursive: true, force: true });
  });

  it(
    'launches it, shows its login prompt in log and screen, and types into it',
    async () => {
      const { page, login, go, complaints } = await visit(browser, 'http://127.0.0.1:8090');
      page.setDefaultTimeout(5 * MINUTE_MS);
      await login({ name: 'admin', password: PASSWORD, project: '' });
      await go('/instances');
      await page.getByRole('button', { name: 'Launch an instance' }).first().click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Name', { exact: true }).fill('seen');
      await dialog.getByLabel('Image').selectOption({ label: 'guest' });
      await dialog.getByLabel('Key pair', { exact: true }).selectOption('');
      await dialog.getByLabel('User data').fill(USER_DATA);
      await submit(page);
      await page.locator('h1', { hasText: 'seen' }).waitFor();
      await page.locator('.page-head .badge', { hasText: 'Running' }).waitFor();

      await page.getByRole('tab', { name: 'Console log' }).click();
      const log = page.locator('pre.console');
      await log.filter({ hasText: 'user-data: exit 0' }).waitFor();
      await log.filter({ hasText: /login:/ }).waitFor();

      await page.getByRole('tab', { name: 'Screen' }).click();
      await page.locator('.screen[data-state=open]').waitFor();
      await expect.poll(() => lit(page), { timeout: 5 * MINUTE_MS }).toBeGreaterThan(500);
      await expect
        .poll(
          async () => {
            await typeInto(page, COMMAND);
            await page.getByRole('tab', { name: 'Console log' }).click();
            return log
              .filter({ hasText: 'typed 42' })
              .waitFor({ timeout: 20_000 })
              .then(
                () => 'told',
                () => 'not yet',
              );
          },
          { timeout: 10 * MINUTE_MS },
        )
        .toBe('told');

      await page.getByRole('tab', { name: 'Time line' }).click();
      await page.locator('.step', { hasText: 'boot: ' }).first().waitFor();
      await go('/system?tab=metrics');
      await page.locator('.bars li', { hasText: 'spawn' }).waitFor();
      expect(complaints).toEqual([]);
    },
    20 * MINUTE_MS,
  );
});

/** How many points of the screen are not black. */
const lit = (page: Page): Promise<number> =>
  page.evaluate(`(() => {
    const canvas = document.querySelector('.screen canvas');
    if (!canvas || canvas.width === 0) return 0;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) if (data[at] + data[at + 1] + data[at + 2] > 100) count++;
    return count;
  })()`);

/** Logs in, or has done so the time before, and writes to the serial port what no echo of a key shows. */
const COMMAND = '\nroot\necho typed $((6*7)) > /dev/ttyS0\n';
const SHIFTED: Readonly<Record<string, string>> = {
  $: 'Digit4',
  '(': 'Digit9',
  ')': 'Digit0',
  '*': 'Digit8',
  '>': 'Period',
  S: 'KeyS',
};

/** With the keys of a real keyboard: a guest is sent keys, not letters. */
async function typeInto(page: Page, text: string): Promise<void> {
  await page.getByRole('tab', { name: 'Screen' }).click();
  await page.locator('.screen[data-state=open]').waitFor();
  await page.locator('.screen canvas').click();
  for (const letter of text) {
    const key = SHIFTED[letter];
    if (key === undefined) await page.keyboard.type(letter, { delay: 30 });
    else await page.keyboard.press(`Shift+${key}`, { delay: 30 });
  }
}
