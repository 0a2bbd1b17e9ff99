import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { startBackground } from './background.ts';
import { openDatagramSender } from './unix-datagram.ts';

const folder = mkdtempSync(join(tmpdir(), 'datagram-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'log');

/** Takes so many datagrams, sleeping so long before each. */
const LISTENER = `
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
for _ in range(int(sys.argv[2])):
    time.sleep(float(sys.argv[3]))
    print(s.recv(9000).decode(), flush=True)
`;

const env = { PATH: '/usr/local/bin:/usr/bin:/bin' };

async function listen(name: string, count: number, pause = 0) {
  rmSync(path, { force: true });
  const logFile = join(folder, name);
  const listener = await startBackground(['python3', '-c', LISTENER, path, String(count), String(pause)], {
    env,
    logFile,
  });
  return { ended: listener.ended, texts: () => readFileSync(logFile, 'utf8').trimEnd().split('\n') };
}

async function opened(lost: (text: string) => void = () => {}) {
  for (let tries = 0; tries < 1200; tries++) {
    const sender = openDatagramSender(path, lost);
    if (sender) return sender;
    await new Promise(resolve => setTimeout(resolve, 25));
  }
  throw new Error('nobody listens');
}

it('sends to a listener, finds one that began anew, and gives back what nobody took', async () => {
  expect(openDatagramSender(path, () => {})).toBeNull();
  expect(openDatagramSender(join(folder, 'x'.repeat(200)), () => {})).toBeNull();
  const first = await listen('first', 2);
  const lost: string[] = [];
  const sender = await opened(text => lost.push(text));
  expect([sender.send('one'), sender.send('zwei €')]).toEqual([true, true]);
  await first.ended;
  expect(first.texts()).toEqual(['one', 'zwei €']);
  expect(sender.send('nobody')).toBe(true);
  await expect.poll(() => lost).toEqual(['nobody']);
  expect(sender.send('nor now')).toBe(false);
  const second = await listen('second', 2);
  (await opened()).close();
  expect([sender.send('three'), sender.send('four')]).toEqual([true, true]);
  await second.ended;
  expect(second.texts()).toEqual(['three', 'four']);
  sender.close();
});

it('loses nothing to a listener that is behind', async () => {
  const listener = await listen('slow', 300, 0.001);
  const sender = await opened(text => expect.fail(`lost ${text}`));
  const texts = Array.from({ length: 300 }, (_, i) => `text ${i}`);
  for (const text of texts) expect(sender.send(text)).toBe(true);
  await listener.ended;
  expect(listener.texts()).toEqual(texts);
  sender.close();
});

it('sends what is left when the process ends', async () => {
  const listener = await listen('end', 200);
  (await opened()).close();
  const module = new URL('./unix-datagram.ts', import.meta.url).href;
  const program = `
    import { openDatagramSender } from ${JSON.stringify(module)};
    const sender = openDatagramSender(${JSON.stringify(path)}, text => { throw new Error(text); });
    for (let i = 0; i < 200; i++) if (!sender.send('line ' + i)) throw new Error('refused');
    process.exit(0);`;
  execFileSync(process.execPath, ['--input-type=module', '-e', program], { stdio: 'pipe' });
  await listener.ended;
  expect(listener.texts()).toEqual(Array.from({ length: 200 }, (_, i) => `line ${i}`));
});
