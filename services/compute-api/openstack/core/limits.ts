import { isoSeconds } from '@folsom/core';
import { NOVA_NS, pairs } from '@folsom/wire/nova-xml';
import { attribute, attributesOf, children, one, shownAs, view } from '@folsom/wire/view';
import type { QuotaResource } from '../../domain/quotas.ts';
import type { ComputeOperation, JsonObject, Registry } from '../http/api.ts';
import { operation } from '../http/operation.ts';
import type { RateLimitState } from '../http/rate-limits.ts';

const NAMES: Partial<Record<QuotaResource, readonly string[]>> = {
  ram: ['maxTotalRAMSize'],
  instances: ['maxTotalInstances'],
  cores: ['maxTotalCores'],
  gigabytes: ['maxTotalVolumeGigabytes'],
  volumes: ['maxTotalVolumes'],
  key_pairs: ['maxTotalKeypairs'],
  floating_ips: ['maxTotalFloatingIps'],
  metadata_items: ['maxServerMeta', 'maxImageMeta'],
  injected_files: ['maxPersonality'],
  injected_file_content_bytes: ['maxPersonalitySize'],
  security_groups: ['maxSecurityGroups'],
  security_group_rules: ['maxSecurityGroupRules'],
};

/** The order in which Folsom lists the absolute limits and their use. */
const ORDER = [
  'maxServerMeta',
  'maxTotalInstances',
  'maxPersonality',
  'maxImageMeta',
  'maxPersonalitySize',
  'totalVolumesUsed',
  'maxSecurityGroupRules',
  'maxTotalKeypairs',
  'totalCoresUsed',
  'maxTotalVolumes',
  'totalRAMUsed',
  'totalInstancesUsed',
  'maxSecurityGroups',
  'totalFloatingIpsUsed',
  'maxTotalCores',
  'totalSecurityGroupsUsed',
  'totalVolumeGigabytesUsed',
  'maxTotalFloatingIps',
  'maxTotalVolumeGigabytes',
  'maxTotalRAMSize',
];

const inOrder = (absolute: JsonObject): JsonObject => ({
  ...Object.fromEntries(ORDER.filter(name => name in absolute).map(name => [name, absolute[name]])),
  ...absolute,
});

interface Rate {
  uri: string;
  regex: string;
  limits: RateLimitState[];
}
const limit = view<[RateLimitState]>('limit', {
  ...attributesOf<RateLimitState>('verb', 'value', 'remaining', 'unit'),
  'next-available': attribute(({ resetTime }) => isoSeconds(resetTime * 1000)),
});
const rate = view<[Rate]>('rate', {
  ...attributesOf<Rate>('uri', 'regex'),
  limit: children(limit, ({ limits }) => limits, { within: null }),
});
const limitsView = view<[rates: Rate[], absolute: JsonObject]>('limits', {
  rate: children(rate, rates => rates, { within: 'rates' }),
  absolute: shownAs(
    {
      children: [
        {
          tag: 'absolute',
          at: 'absolute',
          children: [{ tag: 'limit', at: pairs, attributes: { name: '0', value: '1' } }],
        },
      ],
    },
    (_rates, absolute) => absolute,
  ),
});

/** Limits of the same address stand together. */
function rates(states: readonly RateLimitState[]): Rate[] {
  const groups = new Map<string, Rate>();
  for (const state of states) {
    const { uri, regex } = state;
    const key = `${uri} ${regex}`;
    const group = groups.get(key) ?? { uri, regex, limits: [] };
    groups.set(key, group);
    group.limits.push(state);
  }
  return [...groups.values()];
}

export function limitOperations(registry: Registry): readonly ComputeOperation[] {
  const shown = one(limitsView, {
    namespaces: { '': NOVA_NS.common, atom: NOVA_NS.atom, ...registry.namespaces('limits') },
  });
  return [
    operation({
      name: 'ShowLimits',
      about: 'What the caller may ask in a time, and what the tenant may have.',
      method: 'GET',
      path: '/limits',
      policy: null,
      answers: 200,
      view: shown,
      run: async ({ domain, context }) => {
        const limits = await domain.quotas.own(context);
        const absolute: JsonObject = {};
        for (const [resource, names] of Object.entries(NAMES)) {
          for (const name of names) absolute[name] = limits[resource as QuotaResource];
        }
        for (const add of registry.limits) await add(context, absolute);
        const states = context.api.rateLimiter?.states(context.userId) ?? [];
        return shown.json(rates(states), inOrder(absolute));
      },
    }),
  ];
}
