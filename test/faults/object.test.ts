import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { seededRandom, systemClock } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host/run';
import { addDevice, rebalance, setPartsWanted } from '@folsom/ring';
import { eventually, freePort, programFile, type RunningProgram, startProgram } from '@folsom/testing';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Cluster,
  contentOf,
  lostOf,
  makeContainer,
  ringDevice,
  type StorageNode,
  startCluster,
  writeMany,
} from './object/cluster.ts';

/** Objects written in each test. The faults are the same for more of them: `FOLSOM_FAULT_WRITES=1000` takes minutes. */
const WRITES = Number(process.env.FOLSOM_FAULT_WRITES ?? 200);
let cluster: Cluster;
const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const work of cleanUp.splice(0).reverse()) await work();
});

async function ready(
  options: Parameters<typeof startCluster>[0],
): Promise<{ cluster: Cluster; port: number }> {
  cluster = await startCluster(options);
  // last of all: what is mounted lies in its directory
  cleanUp.unshift(() => cluster.stop());
  const { port } = await cluster.startProxy();
  await makeContainer(cluster, port);
  return { cluster, port };
}

/** Every file of objects on a host. */
const dataFiles = (node: StorageNode): string[] => {
  const root = join(node.root, node.device, 'objects');
  if (!existsSync(root)) return [];
  return (readdirSync(root, { recursive: true }) as string[])
    .filter(path => path.endsWith('.data'))
    .map(path => join(root, path));
};

/** Whether file systems can be mounted here. */
const canMount = needs('root and loop devices', process.getuid?.() === 0 && existsSync('/dev/loop-control'));
if (!canMount) console.warn('skipped: faults of mounted devices need root and loop devices');

/** A small file system of its own as a host's device. */
async function mountDevice(node: StorageNode, megabytes: number): Promise<void> {
  const image = join(node.root, '..', `${node.device}.img`);
  const at = join(node.root, node.device);
  await run(['truncate', '-s', `${megabytes}M`, image], { timeoutMs: 10_000 });
  await run(['mkfs.ext4', '-q', '-F', '-m', '0', image], { timeoutMs: 60_000 });
  await run(['mount', '-o', 'loop', image, at], { timeoutMs: 30_000 });
  cleanUp.push(() => run(['umount', '-l', at], { timeoutMs: 30_000, allowedCodes: 'any' }));
}

describe('acknowledged writes survive', () => {
  it.skipIf(!canMount)(
    'a device that is unmounted',
    async () => {
      const { port } = await ready({ nodes: 4, mountCheck: true, makeDevice: node => mountDevice(node, 96) });
      const [hurt] = cluster.nodes as [StorageNode];
      const at = join(hurt.root, hurt.device);
      const writes = await writeMany(cluster, [port], WRITES, 'u', async () => {
        await run(['umount', '-l', at], { timeoutMs: 30_000 });
      });
      expect(writes.acknowledged).toHaveLength(WRITES);
      // nothing was written into the empty directory under the mount
      expect(readdirSync(at)).toEqual([]);
      expect(await lostOf(cluster, port, writes.acknowledged)).toEqual([]);
      await run(['mount', '-o', 'loop', join(hurt.root, '..', `${hurt.device}.img`), at], {
        timeoutMs: 30_000,
      });
      await cluster.replicate();
      await cluster.replicate();
      expect(await lostOf(cluster, port, writes.acknowledged)).toEqual([]);
      expect(cluster.nodes.reduce((sum, node) => sum + dataFiles(node).length, 0)).toBe(3 * WRITES);
    },
    180_000,
  );

  it.skipIf(!existsSync(programFile('swift-object-server')))(
    'a storage server killed in mid-PUT',
    async () => {
      const { port } = await ready({ nodes: 3 });
      const [, hurt] = cluster.nodes as [StorageNode, StorageNode];
      await cluster.stopServer(hurt, 'object');
      const conf = join(dirname(hurt.root), 'object-server.conf');
      writeFileSync(
        conf,
        `[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = ${hurt.ports.object}\nswift_dir = ${cluster.swiftDir}\ndevices = ${hurt.root}\nmount_check = false\nlog_level = ERROR\n[pipeline:main]\npipeline = object-server\n[app:object-server]\nuse = egg:swift#object\n`,
      );
      let program: RunningProgram;
      const start = async () => {
        program = await startProgram('swift-object-server', [conf], {
          logFile: join(dirname(hurt.root), 'object-server.log'),
          ports: [{ host: '127.0.0.1', port: hurt.ports.object }],
        });
      };
      await start();
      cleanUp.push(() => program.stop());
      const writes = await writeMany(cluster, [port], WRITES, 'k', async () => {
        program.kill('SIGKILL');
        await program.exited;
        await systemClock.sleep(500);
        await start();
      });
      expect(writes.acknowledged.length).toBeGreaterThan(WRITES * 0.9);
      expect(await lostOf(cluster, port, writes.acknowledged)).toEqual([]);
      // no half-written object on the device of the killed server
      for (const file of dataFiles(hurt)) expect(readFileSync(file)).toHaveLength(128);
      expect(readdirSync(join(hurt.root, hurt.device, 'tmp'))).toEqual([]);
    },
    180_000,
  );

  it('two of three down: refused, not acknowledged', async () => {
    const { port } = await ready({ nodes: 3 });
    const before = await writeMany(cluster, [port], WRITES, 'b');
    expect(before.acknowledged).toHaveLength(WRITES);
    const [, second, third] = cluster.nodes as [StorageNode, StorageNode, StorageNode];
    for (const node of [second, third]) await cluster.stopServer(node, 'object');
    const during = await writeMany(cluster, [port], 40, 'd');
    expect(during.acknowledged).toEqual([]);
    expect(Object.keys(during.refused)).toEqual(['503']);
    expect(await lostOf(cluster, port, before.acknowledged)).toEqual([]);
    for (const node of [second, third]) await cluster.startServer(node, 'object');
    await systemClock.sleep(1500);
    const after = await writeMany(cluster, [port], 40, 'a');
    expect(after.acknowledged).toHaveLength(40);
    expect(await lostOf(cluster, port, [...before.acknowledged, ...after.acknowledged])).toEqual([]);
  }, 400_000);

  it.skipIf(!canMount)(
    'a full disk',
    async () => {
      const { port } = await ready({
        nodes: 3,
        mountCheck: true,
        makeDevice: node => mountDevice(node, node.id === 0 ? 24 : 96),
      });
      const [small] = cluster.nodes as [StorageNode];
      const writes = await writeMany(cluster, [port], WRITES, 'f', async () => {
        const filler = join(small.root, small.device, 'filler');
        await run(['dd', 'if=/dev/zero', `of=${filler}`, 'bs=64k'], {
          timeoutMs: 60_000,
          allowedCodes: 'any',
        });
      });
      // two of three replicas are a majority
      expect(writes.acknowledged).toHaveLength(WRITES);
      const direct = await cluster.request(
        small.ports.object,
        'PUT',
        `/${small.device}/1/a/c/big`,
        Buffer.alloc(1 << 20),
        { 'x-timestamp': '1400000000' },
      );
      expect(direct.status).toBe(507);
      expect(await lostOf(cluster, port, writes.acknowledged)).toEqual([]);
      for (const file of dataFiles(small)) expect(readFileSync(file)).toHaveLength(128);
    },
    180_000,
  );

  it('bits flipped on a disk', async () => {
    const { port } = await ready({ nodes: 3 });
    const writes = await writeMany(cluster, [port], WRITES, 'x');
    expect(writes.acknowledged).toHaveLength(WRITES);
    await cluster.replicate();
    const [hurt] = cluster.nodes as [StorageNode];
    const damaged = dataFiles(hurt).filter((_, i) => i % 10 === 0);
    for (const file of damaged) {
      const bytes = readFileSync(file);
      bytes[17]! ^= 4;
      writeFileSync(file, bytes);
    }
    // nobody reads a wrong byte, and what was read is in quarantine
    for (let round = 0; round < 3; round++)
      expect(await lostOf(cluster, port, writes.acknowledged)).toEqual([]);
    await cluster.replicate();
    for (let round = 0; round < 3; round++)
      expect(await lostOf(cluster, port, writes.acknowledged)).toEqual([]);
    const quarantined = readdirSync(join(hurt.root, hurt.device, 'quarantined', 'objects'));
    expect(quarantined.length).toBeGreaterThan(damaged.length / 2);
    await cluster.replicate();
    expect(dataFiles(hurt)).toHaveLength(WRITES);
  }, 400_000);

  it('a proxy killed in mid-download', async () => {
    const { port } = await ready({ nodes: 3 });
    const writes = await writeMany(cluster, [port], WRITES, 'p');
    const big = Buffer.alloc(8_000_000, 'download');
    expect((await cluster.request(port, 'PUT', '/v1/AUTH_f/c/big', big)).status).toBe(201);
    const openFiles = () => readdirSync('/proc/self/fd').length;
    const before = openFiles();
    for (let round = 0; round < 8; round++) {
      const second = await cluster.startProxy();
      const socket = connect(second.port, '127.0.0.1');
      socket.write('GET /v1/AUTH_f/c/big HTTP/1.1\r\nHost: x\r\n\r\n');
      const received = await new Promise<number>(resolve => {
        let count = 0;
        socket.on('data', chunk => {
          count += chunk.length;
          if (count > 100_000 && !socket.isPaused()) {
            socket.pause();
            resolve(count);
          }
        });
        socket.on('error', () => resolve(count));
      });
      expect(received).toBeLessThan(big.length);
      socket.destroy();
      await second.service.stop();
    }
    // and one that is a process of its own and dies at once
    const folder = dirname(cluster.swiftDir);
    const conf = join(folder, 'proxy-server.conf');
    const own = await freePort();
    writeFileSync(
      conf,
      `[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = ${own}\nswift_dir = ${cluster.swiftDir}\nlog_address = ${folder}/none\n[pipeline:main]\npipeline = proxy-server\n[app:proxy-server]\nuse = egg:swift#proxy\n`,
    );
    const program = await startProgram('swift-proxy-server', [conf], {
      logFile: join(folder, 'proxy-server.log'),
      ports: [{ host: '127.0.0.1', port: own }],
    });
    cleanUp.push(() => program.stop());
    const socket = connect(own, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET /v1/AUTH_f/c/big HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise<void>(resolve => socket.once('data', () => resolve()));
    socket.pause();
    program.kill('SIGKILL');
    await program.exited;
    socket.destroy();
    // neither descriptors of the file nor connections are left on either side
    await eventually(openFiles).toBeLessThan(before + 8);
    expect(await lostOf(cluster, port, writes.acknowledged)).toEqual([]);
    expect((await cluster.request(port, 'GET', '/v1/AUTH_f/c/big')).body.equals(big)).toBe(true);
  }, 400_000);

  it('clocks that disagree', async () => {
    const { port } = await ready({ nodes: 3 });
    const ahead = await cluster.startProxy(5 * 60_000);
    const behind = await cluster.startProxy(-5 * 60_000);
    const ports = [port, ahead.port, behind.port];
    const writes = await writeMany(cluster, ports, WRITES, 's');
    expect(writes.acknowledged).toHaveLength(WRITES);
    for (const at of ports) expect(await lostOf(cluster, at, writes.acknowledged)).toEqual([]);
    // whatever order the clocks give to writes of one object, all replicas agree on one of them
    for (let i = 0; i < 30; i++) {
      await cluster.request(ports[i % 3]!, 'PUT', '/v1/AUTH_f/c/contended', Buffer.from(`version ${i}`));
    }
    await cluster.replicate();
    await cluster.replicate();
    const copies = new Set<string>();
    for (const node of cluster.nodes) {
      for (const file of dataFiles(node)) {
        const bytes = readFileSync(file);
        if (bytes.toString('latin1', 0, 7) === 'version') copies.add(bytes.toString());
      }
    }
    expect(copies.size).toBe(1);
    expect((await cluster.request(port, 'GET', '/v1/AUTH_f/c/contended')).body.toString()).toBe(
      [...copies][0],
    );
  }, 400_000);

  it('partitions moved by a rebalance while reads go on', async () => {
    const { port } = await ready({ nodes: 5 });
    // two of the five hosts join later
    for (const id of [3, 4]) cluster.builder.devices[id] = null;
    const fresh = cluster.builder;
    fresh.devices = fresh.devices.slice(0, 3);
    fresh.rows = null;
    fresh.lastPartMovesEpoch = null;
    for (const device of fresh.devices) device!.parts = 0;
    setPartsWanted(fresh);
    rebalance(fresh, { nowSeconds: 0, random: seededRandom(1) });
    cluster.pushRing();
    await systemClock.sleep(20);
    const writes = await writeMany(cluster, [port], WRITES, 'r');
    expect(writes.acknowledged).toHaveLength(WRITES);

    let reading = true;
    const failures: string[] = [];
    let reads = 0;
    const readers = Promise.all(
      Array.from({ length: 3 }, async (_unused, reader) => {
        for (let i = reader; reading; i += 3) {
          const name = writes.acknowledged[i % WRITES]!;
          const { status, body } = await cluster.request(port, 'GET', `/v1/AUTH_f/c/${name}`);
          if (status !== 200 || !body.equals(contentOf(name))) failures.push(`${name}: ${status}`);
          reads++;
        }
      }),
    );
    for (const [round, id] of [3, 4].entries()) {
      addDevice(fresh, ringDevice(cluster.nodes[id]!, 'object'));
      fresh.lastPartMoves!.fill(255);
      fresh.minPartHours = 1;
      rebalance(fresh, { nowSeconds: 7200 * (round + 1), random: seededRandom(round) });
      cluster.pushRing();
      await cluster.replicate();
      await cluster.replicate();
    }
    await eventually(() => reads).toBeGreaterThan(WRITES);
    reading = false;
    await readers;
    expect(failures).toEqual([]);
    expect(await lostOf(cluster, port, writes.acknowledged)).toEqual([]);
    expect(cluster.nodes.reduce((sum, node) => sum + dataFiles(node).length, 0)).toBe(3 * WRITES);
    for (const id of [3, 4]) expect(dataFiles(cluster.nodes[id]!).length).toBeGreaterThan(WRITES / 4);
  }, 400_000);
});
