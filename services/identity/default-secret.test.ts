import { createLogger, silentLogger } from '@folsom/core';
import { expect, it } from 'vitest';
import { refuseDefaultSecret } from './default-secret.ts';

it('does not start with a published secret where others can reach it, and says how to set one', () => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'keystone.example.org', '::ffff:192.0.2.1']) {
    for (const token of ['ADMIN', 'YOUR_ADMIN_TOKEN']) {
      expect(() => refuseDefaultSecret(token, host, silentLogger)).toThrow(/openssl rand.*bind_host/);
    }
    refuseDefaultSecret('3f0c8d', host, silentLogger);
    refuseDefaultSecret('', host, silentLogger);
  }
});

it('warns on loopback', () => {
  const lines: string[] = [];
  const log = createLogger({ write: line => lines.push(line) });
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) refuseDefaultSecret('ADMIN', host, log);
  expect(lines).toHaveLength(4);
  expect(lines.join()).toContain('published default');
});
