import { requestContext, silentLogger } from '@folsom/core';
import type { FlavorWire, RequestSpec } from '@folsom/nova/rpc/wire';
import { fakeClock } from '@folsom/testing';
import { describe, expect, it } from 'vitest';
import type { HostState } from '../host-state.ts';
import { scheduleRequest } from '../request.ts';
import type { Sources } from '../sources.ts';
import { chooseFilters, STANDARD_FILTERS } from './catalogue.ts';
import { meetsSpec } from './extra-specs.ts';
import type { FilterSeam } from './filter.ts';

const clock = fakeClock();

const host = (fields: Partial<HostState> = {}, service: Partial<HostState['service']> = {}): HostState => ({
  host: 'h1',
  service: {
    host: 'h1',
    disabled: false,
    availability_zone: 'nova',
    created_at: 0,
    updated_at: clock.now(),
    ...service,
  },
  capabilities: {},
  totalRamMb: 1000,
  freeRamMb: 400,
  totalDiskGb: 10,
  freeDiskMb: 5120,
  diskMbUsed: 5120,
  vcpusTotal: 2,
  vcpusUsed: 30,
  limits: {},
  updated: 0,
  reports: 1,
  ...fields,
});

interface Asked {
  flavor?: Partial<FlavorWire>;
  image?: Record<string, unknown>;
  instance?: Record<string, unknown>;
  hints?: Record<string, unknown>;
  tried?: string[];
  sources?: Partial<Sources>;
  settings?: Partial<FilterSeam['settings']>;
  levels?: [string, string][];
}

async function passes(name: string, asked: Asked, on = host()): Promise<boolean> {
  const [filter] = chooseFilters(['nova.scheduler.filters.standard_filters'], [name]);
  const spec = {
    image: { properties: asked.image ?? {} },
    instance_properties: { image_ref: 'image-1', ...asked.instance },
    instance_type: {
      id: 1,
      name: 'm1.tiny',
      memory_mb: 512,
      vcpus: 1,
      root_gb: 1,
      ephemeral_gb: 0,
      ...asked.flavor,
    },
    instance_uuids: ['u'],
  } as unknown as RequestSpec;
  const request = scheduleRequest(requestContext({ projectId: 'p' }), spec, {
    ...(asked.hints ? { scheduler_hints: asked.hints } : {}),
    retry: { num_attempts: 1, hosts: asked.tried ?? [] },
  });
  const seam: FilterSeam = {
    settings: {
      serviceDownTimeMs: 60_000,
      cpuAllocationRatio: 16,
      ramAllocationRatio: 1.5,
      diskAllocationRatio: 1,
      isolatedImages: [],
      isolatedHosts: [],
      ...asked.settings,
    },
    sources: (asked.sources ?? {}) as Sources,
    clock,
    log: silentLogger,
    attest: async () => new Map(asked.levels ?? []),
  };
  const test = await filter!.prepare(request, seam, [on]);
  return test(on);
}

const affinity = (...hosts: string[]) => ({ hostsOfInstances: async () => new Set(hosts) });
const aggregates = (key: string, ...values: string[]) => ({
  aggregateMetadata: async () => new Map([['h1', new Map([[key, new Set(values)]])]]),
});

const cases: [filter: string, what: string, asked: Asked, passes: boolean, on?: HostState][] = [
  ['AllHostsFilter', 'anything', {}, true],
  ['RetryFilter', 'a host not tried', { tried: ['h2'] }, true],
  ['RetryFilter', 'a host tried before', { tried: ['h1'] }, false],
  ['AvailabilityZoneFilter', 'no zone', {}, true],
  ['AvailabilityZoneFilter', 'its zone', { instance: { availability_zone: 'nova' } }, true],
  ['AvailabilityZoneFilter', 'another zone', { instance: { availability_zone: 'b' } }, false],
  ['RamFilter', 'what the ratio allows', { flavor: { memory_mb: 900 } }, true],
  ['RamFilter', 'a megabyte more', { flavor: { memory_mb: 901 } }, false],
  ['DiskFilter', 'what is free', { flavor: { root_gb: 3, ephemeral_gb: 2 } }, true],
  ['DiskFilter', 'a gigabyte more', { flavor: { root_gb: 4, ephemeral_gb: 2 } }, false],
  ['CoreFilter', 'what the ratio allows', { flavor: { vcpus: 2 } }, true],
  ['CoreFilter', 'a processor more', { flavor: { vcpus: 3 } }, false],
  ['CoreFilter', 'a hypervisor that counts none', { flavor: { vcpus: 99 } }, true, host({ vcpusTotal: 0 })],
  ['ComputeFilter', 'a service that is up', {}, true],
  ['ComputeFilter', 'one disabled', {}, false, host({}, { disabled: true })],
  ['ComputeFilter', 'one silent for long', {}, false, host({}, { updated_at: clock.now() - 60_001 })],
  ['ComputeFilter', 'a hypervisor that says no', {}, false, host({ capabilities: { enabled: false } })],
  ['ComputeCapabilitiesFilter', 'no specs', {}, true],
  [
    'ComputeCapabilitiesFilter',
    'a spec met',
    { flavor: { extra_specs: { cpus: '>= 4' } } },
    true,
    host({ capabilities: { cpus: 4 } }),
  ],
  [
    'ComputeCapabilitiesFilter',
    'a spec not met',
    { flavor: { extra_specs: { cpus: '>= 4' } } },
    false,
    host({ capabilities: { cpus: 3 } }),
  ],
  ['ComputeCapabilitiesFilter', 'a scoped spec', { flavor: { extra_specs: { 'trust:x': 'y' } } }, true],
  ['ImagePropertiesFilter', 'no properties', {}, true],
  [
    'ImagePropertiesFilter',
    'a supported kind',
    { image: { architecture: 'x86_64', vm_mode: 'hvm' } },
    true,
    host({
      capabilities: {
        supported_instances: [
          ['i686', 'kvm', 'hvm'],
          ['x86_64', 'kvm', 'hvm'],
        ],
      },
    }),
  ],
  [
    'ImagePropertiesFilter',
    'a mix of kinds',
    { image: { architecture: 'x86_64', vm_mode: 'xen' } },
    false,
    host({
      capabilities: {
        supported_instances: [
          ['i686', 'xen', 'xen'],
          ['x86_64', 'kvm', 'hvm'],
        ],
      },
    }),
  ],
  ['ImagePropertiesFilter', 'an unknown hypervisor', { image: { architecture: 'x86_64' } }, false],
  ['IsolatedHostsFilter', 'common image, common host', {}, true],
  ['IsolatedHostsFilter', 'common image, isolated host', { settings: { isolatedHosts: ['h1'] } }, false],
  [
    'IsolatedHostsFilter',
    'isolated image, common host',
    { settings: { isolatedImages: ['image-1'] } },
    false,
  ],
  [
    'IsolatedHostsFilter',
    'isolated both',
    { settings: { isolatedImages: ['image-1'], isolatedHosts: ['h1'] } },
    true,
  ],
  ['DifferentHostFilter', 'no hint', {}, true],
  [
    'DifferentHostFilter',
    'an instance elsewhere',
    { hints: { different_host: 'u' }, sources: affinity('h2') },
    true,
  ],
  [
    'DifferentHostFilter',
    'an instance here',
    { hints: { different_host: ['u', 'v'] }, sources: affinity('h1') },
    false,
  ],
  ['SameHostFilter', 'no hint', {}, true],
  ['SameHostFilter', 'an instance here', { hints: { same_host: ['u'] }, sources: affinity('h1') }, true],
  [
    'SameHostFilter',
    'an instance elsewhere',
    { hints: { same_host: ['u'] }, sources: affinity('h2') },
    false,
  ],
  [
    'SameHostFilter',
    'a hint of another shape',
    { hints: { same_host: [{ evil: 1 }] }, sources: affinity('h1') },
    false,
  ],
  ['SimpleCIDRAffinityFilter', 'no hint', {}, true],
  [
    'SimpleCIDRAffinityFilter',
    'an address in the net',
    { hints: { build_near_host_ip: '10.0.0.9' } },
    true,
    host({ capabilities: { host_ip: '10.0.0.200' } }),
  ],
  [
    'SimpleCIDRAffinityFilter',
    'an address outside',
    { hints: { build_near_host_ip: '10.0.0.9', cidr: '/28' } },
    false,
    host({ capabilities: { host_ip: '10.0.0.200' } }),
  ],
  [
    'SimpleCIDRAffinityFilter',
    'nonsense',
    { hints: { build_near_host_ip: '10.0.0.9', cidr: '/x' } },
    false,
    host({ capabilities: { host_ip: '10.0.0.9' } }),
  ],
  [
    'TypeAffinityFilter',
    'a host of other flavors',
    { sources: { hostsWithOtherFlavor: async () => new Set(['h1']) } },
    false,
  ],
  [
    'TypeAffinityFilter',
    'a host of this flavor',
    { sources: { hostsWithOtherFlavor: async () => new Set(['h2']) } },
    true,
  ],
  [
    'AggregateTypeAffinityFilter',
    'the flavor its aggregate names',
    { sources: aggregates('instance_type', 'm1.tiny') },
    true,
  ],
  [
    'AggregateTypeAffinityFilter',
    'another flavor',
    { sources: aggregates('instance_type', 'm1.huge') },
    false,
  ],
  [
    'AggregateTypeAffinityFilter',
    'an aggregate that names none',
    { sources: aggregates('other', 'x') },
    true,
  ],
  [
    'AggregateInstanceExtraSpecsFilter',
    'metadata that meet the spec',
    { flavor: { extra_specs: { ssd: 'true' } }, sources: aggregates('ssd', 'false', 'true') },
    true,
  ],
  [
    'AggregateInstanceExtraSpecsFilter',
    'metadata that do not',
    { flavor: { extra_specs: { ssd: 'true' } }, sources: aggregates('ssd', 'no') },
    false,
  ],
  [
    'AggregateInstanceExtraSpecsFilter',
    'a host of no aggregate',
    { flavor: { extra_specs: { ssd: 'true' } }, sources: aggregates('x', 'y') },
    false,
  ],
  ['TrustedFilter', 'no wish', {}, true],
  [
    'TrustedFilter',
    'a trusted host',
    { flavor: { extra_specs: { 'trust:trusted_host': 'trusted' } }, levels: [['h1', 'trusted']] },
    true,
  ],
  [
    'TrustedFilter',
    'a host nobody vouches for',
    { flavor: { extra_specs: { 'trust:trusted_host': 'trusted' } } },
    false,
  ],
  ['JsonFilter', 'no query', {}, true],
  [
    'JsonFilter',
    'a query met',
    {
      hints: { query: '["and", [">=", "$free_ram_mb", 400], ["=", "$service.availability_zone", "nova"]]' },
    },
    true,
  ],
  ['JsonFilter', 'a query not met', { hints: { query: '["<", "$free_ram_mb", 400]' } }, false],
  ['JsonFilter', 'not', { hints: { query: '["not", ["=", "$host", "h1"]]' } }, false],
  ['JsonFilter', 'in', { hints: { query: '["in", "$host", "h0", "h1"]' } }, true],
  ['JsonFilter', 'nothing to compare with', { hints: { query: '["=", "$host"]' } }, false],
  ['JsonFilter', 'an unknown operator', { hints: { query: '["exec", "x"]' } }, false],
  ['JsonFilter', 'an inherited name', { hints: { query: '["=", "$constructor", "x"]' } }, false],
  ['JsonFilter', 'no JSON', { hints: { query: '{[' } }, false],
  [
    'JsonFilter',
    'a deep query',
    { hints: { query: `${'["not",'.repeat(900)}true${']'.repeat(900)}` } },
    false,
  ],
];

describe('filters', () => {
  it.each(cases)('%s, %s', async (filter, _what, asked, expected, on) => {
    expect(await passes(filter, asked, on)).toBe(expected);
  });

  it('write down what the host may promise', async () => {
    const on = host();
    await passes('RamFilter', {}, on);
    await passes('DiskFilter', {}, on);
    await passes('CoreFilter', {}, on);
    expect(on.limits).toEqual({ memory_mb: 1500, disk_gb: 10, vcpu: 32 });
  });

  it('CVE-2012-3371: ask the database once, however long a hint, and refuse endless ones', async () => {
    let asked = 0;
    const sources = {
      hostsOfInstances: async () => {
        asked++;
        return new Set<string>();
      },
    };
    const uuids = (count: number) => Array.from({ length: count }, (_, n) => `uuid-${n}`);
    for (const name of ['DifferentHostFilter', 'SameHostFilter']) {
      await passes(name, { hints: { different_host: uuids(200), same_host: uuids(200) }, sources });
    }
    expect(asked).toBe(2);
    expect(await passes('DifferentHostFilter', { hints: { different_host: uuids(100_000) }, sources })).toBe(
      false,
    );
    expect(asked).toBe(2);
  });

  it('are found by the paths of Folsom, and unknown ones named', () => {
    expect(chooseFilters(['nova.scheduler.filters.ram_filter.RamFilter'], ['RamFilter'])).toHaveLength(1);
    expect(() => chooseFilters(['nova.scheduler.filters.ram_filter.RamFilter'], ['RamFilter', 'X'])).toThrow(
      'Scheduler Host Filter X could not be found.',
    );
    expect(() => chooseFilters(['my.Filter'], [])).toThrow('my.Filter');
    expect(new Set(STANDARD_FILTERS.map(filter => filter.name)).size).toBe(18);
  });
});

describe('extra specs', () => {
  it.each([
    [4, '= 3', true],
    [2, '= 3', false],
    ['4', '== 4', true],
    [4, '!= 4', false],
    [4, '<= 4', true],
    ['x', '>= 1', false],
    ['abc', '<in> b', true],
    [['vmx', 'svm'], '<in> vmx', true],
    ['b', '<or> a <or> b', true],
    ['c', '<or> a <or> b', false],
    ['a', 's== a', true],
    ['a', 's!= a', false],
    ['a', 's< b', true],
    ['a', 's>= b', false],
    ['plain', 'plain', true],
    [undefined, 'plain', false],
    [undefined, '= 1', false],
    [8, '8', false],
    ['x', '=', false],
  ])('%j against "%s": %s', (value, asked, answer) => {
    expect(meetsSpec(value, asked)).toBe(answer);
  });
});
