import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { seededRandom } from '@folsom/core';
import { pickle, unpickleDict } from '@folsom/pickle';
import { addDevice, newBuilder, rebalance, ringDataOf, ringOf } from '@folsom/ring';
import { confSection } from '@folsom/swift';
import { createInternalClient } from '@folsom/swift-http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditObjects, auditorOptions } from './auditor.ts';
import { objectDirectory, type TestServer, testServer } from './test-devices.ts';
import { sweepUpdates, updaterOptions } from './updater.ts';

let server: TestServer;
beforeEach(async () => {
  server = await testServer();
});
afterEach(() => server.stop());

const conf = (values: Record<string, string> = {}) =>
  confSection({
    devices: server.root,
    mount_check: 'false',
    recon_cache_path: join(server.root, 'cache'),
    ...values,
  });
const put = (name: string, body: string, headers: Record<string, string> = {}) =>
  server.send(
    'PUT',
    `/sda/1/${name}`,
    { 'x-timestamp': '1400000000', 'content-type': 'a/b', ...headers },
    body,
  );
const fileOf = (name: string) => {
  const directory = objectDirectory(server.root, 'sda', 1, name);
  return join(directory, readdirSync(directory)[0]!);
};

describe('auditor', () => {
  const fast = { files_per_second: '10000', bytes_per_second: '0', zero_byte_files_per_second: '10000' };

  it('reads everything and quarantines what is damaged', async () => {
    for (const name of ['good', 'flipped', 'short', 'empty'])
      await put(`a/c/${name}`, name === 'empty' ? '' : 'content');
    writeFileSync(fileOf('a/c/flipped'), 'c0ntent');
    truncateSync(fileOf('a/c/short'), 2);
    const counts = await auditObjects(auditorOptions(conf(fast)), 'ALL', server.world);
    expect(counts).toMatchObject({ files: 4, quarantined: 2, errors: 0, bytes: 14 });
    expect(readdirSync(join(server.root, 'sda/quarantined/objects'))).toHaveLength(2);
    expect((await server.send('GET', '/sda/1/a/c/good')).status).toBe(200);
    const again = await auditObjects(auditorOptions(conf(fast)), 'ALL', server.world);
    expect(again.quarantined).toBe(0);
  });

  it('the zero-byte pass looks at lengths only', async () => {
    await put('a/c/cut', 'content');
    await put('a/c/flipped', 'content');
    truncateSync(fileOf('a/c/cut'), 0);
    writeFileSync(fileOf('a/c/flipped'), 'c0ntent');
    const counts = await auditObjects(auditorOptions(conf(fast)), 'ZBF', server.world);
    expect(counts).toMatchObject({ files: 2, quarantined: 1, bytes: 0 });
  });

  it('keeps to its rate, and leaves numbers for recon', async () => {
    for (let i = 0; i < 10; i++) await put(`a/c/${i}`, 'x');
    const started = performance.now();
    await auditObjects(auditorOptions(conf({ ...fast, files_per_second: '40' })), 'ALL', server.world);
    expect(performance.now() - started).toBeGreaterThan(200);
    const recon = JSON.parse(readFileSync(join(conf().str('recon_cache_path', ''), 'object.recon'), 'utf8'));
    expect(recon.object_auditor_stats_ALL).toMatchObject({
      passes: 10,
      errors: 0,
      quarantined: 0,
      bytes_processed: 10,
    });
  });
});

describe('updater', () => {
  let container: Server;
  let seen: string[] = [];
  let status = 201;
  let port = 0;

  beforeEach(async () => {
    seen = [];
    status = 201;
    container = createServer(socket =>
      socket.on('data', data => {
        seen.push(data.toString().split('\r\n')[0]!);
        const device = seen.at(-1)!.split('/')[1];
        const code = device === 'sd1' ? status : 201;
        socket.write(`HTTP/1.1 ${code} X\r\nContent-Length: 0\r\n\r\n`);
      }),
    );
    await new Promise<void>(resolve => container.listen(0, '127.0.0.1', resolve));
    port = (container.address() as { port: number }).port;
  });
  afterEach(() => void container.close());

  const sweep = async () => {
    const builder = newBuilder(2, 3, 1);
    for (let id = 0; id < 3; id++) {
      addDevice(builder, { id, zone: id, ip: '127.0.0.1', port, device: `sd${id}`, weight: 1, meta: '' });
    }
    rebalance(builder, { nowSeconds: 0, random: seededRandom(1) });
    const client = createInternalClient(server.world);
    try {
      return await sweepUpdates({
        options: updaterOptions(conf({ slowdown: '0' })),
        containerRing: ringOf(ringDataOf(builder)),
        pathHash: (await import('./test-devices.ts')).HASH,
        client,
        world: server.world,
      });
    } finally {
      client.close();
    }
  };
  const unreachable = {
    'x-container-host': '127.0.0.1:1',
    'x-container-partition': '1',
    'x-container-device': 'x',
  };
  const pending = () => {
    const root = join(server.root, 'sda/async_pending');
    return existsSync(root) ? readdirSync(root).flatMap(suffix => readdirSync(join(root, suffix))) : [];
  };

  it('tells every container server and forgets', async () => {
    await put('a/c/o%20x', 'hello', unreachable);
    expect(pending()).toHaveLength(1);
    expect(await sweep()).toEqual({ successes: 1, failures: 0 });
    expect(seen).toHaveLength(3);
    expect(seen[0]).toMatch(/^PUT \/sd\d\/\d\/a\/c\/o%20x HTTP\/1.1$/);
    expect(pending()).toEqual([]);
    expect(readdirSync(join(server.root, 'sda/async_pending'))).toEqual([]);
  });

  it('remembers who knows, and tells only the others next time', async () => {
    await put('a/c/o', 'hello', unreachable);
    status = 503;
    expect(await sweep()).toEqual({ successes: 0, failures: 1 });
    const root = join(server.root, 'sda/async_pending');
    const [suffix] = readdirSync(root);
    const kept = unpickleDict(readFileSync(join(root, suffix!, readdirSync(join(root, suffix!))[0]!)));
    expect([...(kept.successes as number[])].sort()).toEqual([0, 2]);
    const recon = () =>
      JSON.parse(readFileSync(join(conf().str('recon_cache_path', ''), 'object.recon'), 'utf8'));
    expect(recon().async_pending).toBe(1);
    seen = [];
    status = 404;
    expect(await sweep()).toEqual({ successes: 1, failures: 0 });
    expect(seen.map(line => line.split('/')[1])).toEqual(['sd1']);
    expect(pending()).toEqual([]);
    expect(recon().async_pending).toBe(0);
  });

  it('of several updates of one object only the last is told', async () => {
    for (const at of ['1400000000', '1400000001', '1400000002'])
      await put('a/c/o', 'x', { ...unreachable, 'x-timestamp': at });
    expect(pending()).toHaveLength(3);
    expect(await sweep()).toEqual({ successes: 1, failures: 0 });
    expect(seen).toHaveLength(3);
    expect(pending()).toEqual([]);
  });

  it('takes what the original wrote, and quarantines what is no update', async () => {
    const folder = join(server.root, 'sda/async_pending/abc');
    mkdirSync(folder, { recursive: true });
    const hash = createHash('md5').update('x').digest('hex');
    const update = {
      op: 'DELETE',
      account: 'a',
      container: 'caf\xc3\xa9',
      obj: 'o',
      headers: { 'X-Timestamp': '1400000000.00000' },
    };
    writeFileSync(join(folder, `${hash}-1400000000.00000`), pickle(update, { strings: 'latin1' }));
    writeFileSync(join(folder, `${'0'.repeat(32)}-1400000000.00000`), "cos\nsystem\n(S'true'\ntR.");
    expect(await sweep()).toEqual({ successes: 1, failures: 0 });
    expect(seen[0]).toMatch(/DELETE \/sd\d\/\d\/a\/caf%C3%A9\/o/);
    expect(readdirSync(join(server.root, 'sda/quarantined/objects'))).toEqual([
      `${'0'.repeat(32)}-1400000000.00000`,
    ]);
  });
});
