import { needs } from '@folsom/core/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { iptables } from './iptables.ts';
import { run } from './run.ts';
import { namespaceRunner } from './runner.ts';

const NAME = `ipt-${process.pid}`;
const host = namespaceRunner(NAME);
const root = needs('root', process.getuid?.() === 0);
if (!root) console.warn('iptables: not root, host tests are left out');
const save = async () =>
  (await host(['iptables-save'], { timeoutMs: 30_000 })).stdout
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => line.replace(/\[\d+:\d+\]/, '[0:0]').trim());

describe.skipIf(!root)('iptables of a daemon', () => {
  beforeAll(async () => {
    await run(['ip', 'netns', 'add', NAME], { timeoutMs: 30_000 });
  });
  afterAll(async () => {
    await run(['ip', 'netns', 'del', NAME], { timeoutMs: 30_000 });
  });

  it('writes its own chains, twice with the same result, and never touches others', async () => {
    await host(['iptables', '-A', 'INPUT', '-s', '192.0.2.9', '-j', 'DROP'], { timeoutMs: 30_000 });
    const compute = iptables({ runner: host, binary: 'nova-compute' });
    const network = iptables({ runner: host, binary: 'nova-network' });
    compute.addChain('filter', 'inst-1');
    compute.setRules('filter', 'inst-1', ['-p tcp -m tcp --dport 22 -j ACCEPT']);
    compute.addRule('filter', 'local', '-d 10.0.0.2/32 -j $inst-1');
    network.addRule('nat', 'snat', '-s 10.0.0.0/24 -j SNAT --to-source 192.0.2.1');
    await Promise.all([compute.apply(), network.apply(), compute.apply()]);
    const first = await save();
    expect(first).toContain('-A nova-compute-local -d 10.0.0.2/32 -j nova-compute-inst-1');
    expect(first).toContain('-A nova-network-snat -s 10.0.0.0/24 -j SNAT --to-source 192.0.2.1');
    expect(first).toContain('-A INPUT -s 192.0.2.9/32 -j DROP');
    expect(first.filter(line => line === '-A FORWARD -j nova-filter-top')).toHaveLength(1);
    await Promise.all([compute.apply(), network.apply()]);
    expect(await save()).toEqual(first);
    // A process that starts anew adopts what is there.
    const again = iptables({ runner: host, binary: 'nova-network' });
    again.addRule('nat', 'snat', '-s 10.0.0.0/24 -j SNAT --to-source 192.0.2.1');
    await again.apply();
    expect((await save()).sort()).toEqual([...first].sort());
  });

  it('drops chains that are gone and takes everything out at the end', async () => {
    const compute = iptables({ runner: host, binary: 'nova-compute' });
    await compute.apply();
    expect((await save()).join('\n')).not.toContain('inst-1');
    await compute.removeAll();
    // Somebody was still at work.
    await compute.apply();
    expect((await save()).join('\n')).toContain('nova-filter-top');
    await iptables({ runner: host, binary: 'nova-network' }).removeAll();
    const left = (await save()).join('\n');
    expect(left).not.toContain('nova');
    expect(left).toContain('-A INPUT -s 192.0.2.9/32 -j DROP');
  });
});
