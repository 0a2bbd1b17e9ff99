import { expect, it } from 'vitest';
import { crypt } from './crypt.ts';

it('gives the hash that passlib gives', async () => {
  const hash = await crypt('secrete', '$6$rounds=1000$WDKIxNmtEpoBckt/');
  expect(hash).toMatch(/^\$6\$rounds=1000\$WDKIxNmtEpoBckt\/\$[./A-Za-z0-9]{86}$/);
  expect(await crypt('secrete', hash!)).toBe(hash);
  expect(await crypt('Secrete', hash!)).not.toBe(hash);
});

it('accepts a hash that passlib made', async () => {
  const made =
    '$6$rounds=40000$WDKIxNmtEpoBckt/$3CxXxPZKbqbl7hVj18BklKeIsoJN8UnmcnhpjzRXzOtvJfbFc7UrygLu3UvP9qkMaFyp2l97Z.qBbN5NbsQEa.';
  expect(await crypt('secrete', made)).toBe(made);
});

it('hashes off the event loop, several at once', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const hashes = await Promise.all(Array.from({ length: 6 }, () => crypt('x', '$6$rounds=20000$abcdefgh')));
  clearInterval(timer);
  expect(new Set(hashes).size).toBe(1);
  expect(turns).toBeGreaterThan(2);
});

it('refuses settings it does not know and keys with NUL', async () => {
  expect(await crypt('x', '$99$unknown')).toBeNull();
  expect(await crypt('x\0y', '$6$abc')).toBeNull();
});

it('takes any number of calls', async () => {
  const hashes = await Promise.all(
    Array.from({ length: 600 }, (_, i) => crypt(`x${i % 2}`, '$6$rounds=1000$abcdefgh')),
  );
  expect(new Set(hashes).size).toBe(2);
});
