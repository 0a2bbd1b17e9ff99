import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host';
import { tempDir } from '@folsom/testing';
import { describe, expect, it } from 'vitest';
import { CANARY, hostileImages, part, seeds } from './images.ts';

const tools = needs('qemu-img', existsSync('/usr/bin/qemu-img'));
if (!tools) console.warn('skipped: no qemu-img here');

describe.skipIf(!tools)('the image adversary', () => {
  it('45: no image brings a file of the host out, accepted by the inspection or not', async () => {
    const lines: string[] = [];
    await part.run({ seed: 45, count: 60, report: line => lines.push(line) });
    expect(lines).toHaveLength(1);
    console.log(lines[0]);
  });

  it('would see it: a tool that nothing holds shows the canary for these images', async () => {
    const temp = tempDir('attack-control');
    const secret = join(temp.path, 'secret');
    const [image, out] = [join(temp.path, 'image'), join(temp.path, 'out')];
    await mkdir(temp.path, { recursive: true });
    await writeFile(secret, CANARY.repeat(64));
    let shown = 0;
    for (const { format, bytes } of hostileImages(await seeds(temp.path), secret)) {
      await writeFile(image, bytes);
      await writeFile(out, '');
      const argv = ['qemu-img', 'convert', '-f', format, '-O', 'raw', image, out];
      await run(argv, { timeoutMs: 60_000, allowedCodes: 'any', fileBytes: 64 * 1024 ** 2 });
      if ((await readFile(out)).includes(CANARY)) shown += 1;
    }
    temp.remove();
    expect(shown).toBeGreaterThanOrEqual(3);
  });
});
