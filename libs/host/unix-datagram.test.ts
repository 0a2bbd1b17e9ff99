import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { startBackground } from './background.ts';
import { openDatagramSender } from './unix-datagram.ts';

const folder = mkdtempSync(join(tmpdir(), 'datagram-'));
afterAll(() => rmSync(folder, { recursive: true }));

const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
for _ in range(2): print(s.recv(9000).decode(), flush=True)
`;

it('sends to a listener, finds one that began anew, and says when nobody takes it', async () => {
  const path = join(folder, 'log');
  expect(openDatagramSender(path)).toBeNull();
  expect(openDatagramSender(join(folder, 'x'.repeat(200)))).toBeNull();
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin' };
  const listen = async (name: string) => {
    rmSync(path, { force: true });
    return startBackground(['python3', '-c', LISTENER, path], { env, logFile: join(folder, name) });
  };
  const first = await listen('first');
  const opened = async () => {
    for (let tries = 0; tries < 200; tries++) {
      const sender = openDatagramSender(path);
      if (sender) return sender;
      await new Promise(resolve => setTimeout(resolve, 25));
    }
    throw new Error('nobody listens');
  };
  const sender = await opened();
  expect([sender.send('one'), sender.send('two')]).toEqual([true, true]);
  await first.ended;
  expect(sender.send('lost')).toBe(false);
  const second = await listen('second');
  (await opened()).close();
  expect([sender.send('three'), sender.send('four')]).toEqual([true, true]);
  await second.ended;
  sender.close();
});
