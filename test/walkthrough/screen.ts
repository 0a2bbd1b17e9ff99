import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Walk } from './walk.ts';

/** What a browser on the walk-through's host shows of a guest's screen. */
export interface Screen {
  width: number;
  height: number;
  /** Share of pixels that are not black. */
  lit: number;
  screenshot: Buffer;
}

const BROWSER = '/usr/bin/chromium';

/** Opens the address in headless Chromium inside the host's namespaces and looks until the guest's text is there. */
export async function lookAtScreen(walk: Walk, url: string, seconds: number): Promise<Screen> {
  const wrapper = join(walk.dir, 'browser');
  await writeFile(wrapper, `#!/bin/sh\nexec ${walk.host.enter.join(' ')} ${BROWSER} "$@"\n`);
  await chmod(wrapper, 0o755);
  const browser = await chromium.launch({
    executablePath: wrapper,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    timeout: 60_000,
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1024, height: 768 } });
    await page.goto(url, { timeout: 30_000 });
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      // Runs in the page: the words in quotes are the browser's.
      const seen = (await page.evaluate(`(() => {
        const canvas = [...document.querySelectorAll('canvas')].find(item => item.width >= 320);
        if (!canvas) return undefined;
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let lit = 0;
        for (let i = 0; i < data.length; i += 4) if (data[i] + data[i + 1] + data[i + 2] > 96) lit++;
        return { width: canvas.width, height: canvas.height, lit: lit / (data.length / 4) };
      })()`)) as Omit<Screen, 'screenshot'> | undefined;
      if (seen && seen.lit > 0.002) return { ...seen, screenshot: await page.screenshot() };
      if (performance.now() > deadline) {
        throw new Error(`no picture of the guest: ${JSON.stringify(seen)} ${await page.title()}`);
      }
      await page.waitForTimeout(500);
    }
  } finally {
    await browser.close();
  }
}
