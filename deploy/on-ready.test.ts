import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@folsom/core';
import { afterAll, expect, it } from 'vitest';
import { tellReady } from './on-ready.ts';

const dir = mkdtempSync(join(tmpdir(), 'on-ready-'));
afterAll(() => rmSync(dir, { recursive: true }));
const lines: string[] = [];
const log = createLogger({ write: line => lines.push(line) });
const tell = (onready: string | null) => tellReady(onready, { log, notifySocket: undefined });

it('runs a command, without a shell', async () => {
  await tell(`touch ${dir}/ready ${dir}/$(id)`);
  expect(existsSync(`${dir}/ready`)).toBe(true);
  expect(existsSync(`${dir}/$(id)`)).toBe(true);
  expect(lines).toEqual([]);
});

it('has nothing to say without a command, or without systemd', async () => {
  for (const nothing of [null, '', ' ', 'keystone.common.systemd']) await tell(nothing);
  expect(lines).toEqual([]);
});

it('writes to the log what went wrong', async () => {
  await tell('/nowhere/notify --ready');
  expect(lines.join()).toContain('the command of onready failed');
});
