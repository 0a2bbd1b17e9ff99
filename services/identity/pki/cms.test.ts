import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@folsom/host';
import { tempDir } from '@folsom/testing';
import { expect, it } from 'vitest';
import { cmsSign, toPem, toToken } from './cms.ts';
import { setUpPki } from './setup.ts';

it('makes messages that openssl verifies, as the original’s middleware does', async () => {
  const dir = tempDir('cms');
  try {
    const files = {
      certfile: join(dir.path, 'certs/signing_cert.pem'),
      keyfile: join(dir.path, 'private/signing_key.pem'),
      caCerts: join(dir.path, 'certs/ca.pem'),
    };
    const printed: string[] = [];
    await setUpPki({ ...files, keyBits: 1024, validDays: 30 }, line => void printed.push(line));
    expect(printed).toContain('Generating CA certificate');
    // A second time everything is there.
    const again: string[] = [];
    await setUpPki({ ...files, keyBits: 1024, validDays: 30 }, line => void again.push(line));
    expect(again.every(line => line.endsWith('[FOUND]'))).toBe(true);

    const content = `{"access": {"token": "${'x'.repeat(3000)}"}}`;
    const message = await cmsSign(
      Buffer.from(content),
      new X509Certificate(readFileSync(files.certfile)),
      createPrivateKey(readFileSync(files.keyfile)),
    );
    const verified = await run(
      [
        ...[
          'openssl',
          'cms',
          '-verify',
          '-certfile',
          files.certfile,
          '-CAfile',
          files.caCerts,
          '-inform',
          'PEM',
        ],
        ...['-nosmimecap', '-nodetach', '-nocerts', '-noattr', '-purpose', 'any'],
      ],
      { timeoutMs: 20_000, input: toPem(message) },
    );
    expect(verified.stdout).toBe(content);
    expect(toToken(message)).toMatch(/^MII[A-Za-z0-9+=-]+$/);
    expect(toToken(message)).not.toContain('/');
  } finally {
    dir.remove();
  }
});
