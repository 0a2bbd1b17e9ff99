import { ownText } from '@folsom/http/operation';
import { attribute, attributesOf, many, one, view } from '@folsom/wire/view';
import Type from 'typebox';
import type { Extension } from '../http/api.ts';
import { badRequest, unprocessable } from '../http/faults.ts';
import { bare, operation } from '../http/operation.ts';
import { NAME_CHARS_MAX, readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

const policy = 'compute_extension:floating_ip_dns';
const path = '/os-floating-ip-dns';
const entries = `${path}/:domain_id/entries` as const;

/** Clients of the time write a domain's dots as `%2E` once more, since the original's router took them for a format. */
const domainOf = (text: string): string => text.replace(/%2e/gi, '.');

interface DnsDomain {
  domain: string;
  scope: string | null;
  project?: string | null;
  availability_zone?: string | null;
}
const domainEntry = view<[DnsDomain]>('domain_entry', {
  ...attributesOf<DnsDomain>('domain', 'scope'),
  project: attribute(({ project = null }) => project),
  availability_zone: attribute(({ availability_zone: zone = null }) => zone),
});
const domainShown = one(domainEntry);
const domainsShown = many(domainEntry, { tag: 'domain_entries' });

interface DnsEntry {
  ip: string;
  name: string;
  domain: string;
  type?: string;
}
const dnsEntry = view<[DnsEntry]>('dns_entry', {
  id: attribute(() => null),
  ...attributesOf<DnsEntry>('ip', 'domain', 'name'),
  type: attribute(({ type = null }) => type),
});
const entryShown = one(dnsEntry);
const entriesShown = many(dnsEntry, { tag: 'dns_entries' });

/** A text of the body that may be absent or null. */
function optionalText(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string' || value.length > NAME_CHARS_MAX) throw badRequest();
  return value || null;
}

const domainBody = readBy(body => {
  const entry = isObject(body) ? body.domain_entry : undefined;
  if (!isObject(entry) || !('scope' in entry)) throw unprocessable();
  const { scope } = entry;
  const project = optionalText(entry.project);
  const zone = optionalText(entry.availability_zone);
  if (scope === 'private' && !project) return { scope, zone } as const;
  if (scope === 'public' && !zone) return { scope, project } as const;
  throw unprocessable();
}, '`domain_entry`: `scope` is `private`, with the `availability_zone` of its instances, or `public`, with the `project` it is of.');

const entryBody = readBy(body => {
  const entry = isObject(body) ? body.dns_entry : undefined;
  if (!isObject(entry) || !('ip' in entry) || !('dns_type' in entry)) throw unprocessable();
  const [ip, type] = [optionalText(entry.ip), optionalText(entry.dns_type)];
  if (ip === null || type === null) throw badRequest();
  return { ip, type };
}, '`dns_entry`: `ip` and `dns_type` (`A`).');

const byAddress = Type.Object({
  ip: readBy((value): string => {
    if (typeof value !== 'string' || value === '') throw unprocessable();
    return value;
  }, 'The address whose names are asked for.'),
});

const missing = { NotFound: [404, ownText] } as const;

/** Names of floating addresses, and the domains they are in. */
export const extension: Extension = {
  alias: 'os-floating-ip-dns',
  name: 'FloatingIpDns',
  namespace: 'http://docs.openstack.org/ext/floating_ip_dns/api/v1.1',
  updated: '2011-12-23T00:00:00+00:00',
  description: 'Floating IP DNS support',
  resources: [path, entries],
  operations: [
    operation({
      name: 'ListDnsDomains',
      about: 'Domains that names can be entered in.',
      method: 'GET',
      path,
      policy,
      answers: 200,
      view: domainsShown,
      run: async ({ domain, context }) => domainsShown.json(await domain.dns.domains(context)),
    }),
    operation({
      name: 'SetDnsDomain',
      about: 'Makes a domain, or says anew whose it is; for administrators.',
      method: 'PUT',
      path: `${path}/:id`,
      policy,
      body: domainBody,
      answers: 200,
      view: domainShown,
      throws: ['InvalidInput'],
      run: async ({ domain, context, params, body }) => {
        const name = domainOf(params.id);
        await domain.dns.setDomain(context, name, body);
        const of = body.scope === 'private' ? { availability_zone: body.zone } : { project: body.project };
        return domainShown.json({ domain: name, scope: body.scope, ...of });
      },
    }),
    operation({
      name: 'DeleteDnsDomain',
      about: 'Deletes a domain with its names; for administrators.',
      method: 'DELETE',
      path: `${path}/:id`,
      policy,
      answers: 202,
      faults: missing,
      throws: ['InvalidInput'],
      run: async ({ domain, context, params }) => {
        await domain.dns.deleteDomain(context, domainOf(params.id));
        return bare();
      },
    }),
    operation({
      name: 'ListDnsEntries',
      about: 'Names of an address in a domain.',
      method: 'GET',
      path: entries,
      policy,
      query: byAddress,
      answers: 200,
      throws: ['InvalidInput'],
      view: entriesShown,
      run: async ({ domain, context, params, query }) => {
        const name = domainOf(params.domain_id);
        const names = await domain.dns.names(context, name, query.ip);
        return entriesShown.json(names.map(entry => ({ ip: query.ip, name: entry, domain: name })));
      },
    }),
    operation({
      name: 'ShowDnsEntry',
      about: 'The address of a name.',
      method: 'GET',
      path: `${entries}/:id`,
      policy,
      answers: 200,
      view: entryShown,
      faults: missing,
      throws: ['InvalidInput'],
      run: async ({ domain, context, params }) => {
        const name = domainOf(params.domain_id);
        const ip = await domain.dns.address(context, name, params.id);
        return entryShown.json({ ip, name: params.id, domain: name });
      },
    }),
    operation({
      name: 'SetDnsEntry',
      about: 'Enters a name, or gives it another address.',
      method: 'PUT',
      path: `${entries}/:id`,
      policy,
      body: entryBody,
      answers: 200,
      view: entryShown,
      faults: missing,
      throws: ['InvalidInput', 'NotAuthorized', 'FloatingIpDNSExists'],
      run: async ({ domain, context, params, body }) => {
        const entry = {
          domain: domainOf(params.domain_id),
          name: params.id,
          address: body.ip,
          type: body.type,
        };
        await domain.dns.set(context, entry);
        return entryShown.json({ ip: body.ip, name: params.id, domain: entry.domain, type: body.type });
      },
    }),
    operation({
      name: 'DeleteDnsEntry',
      about: 'Takes a name away.',
      method: 'DELETE',
      path: `${entries}/:id`,
      policy,
      answers: 202,
      faults: missing,
      throws: ['InvalidInput', 'NotAuthorized'],
      run: async ({ domain, context, params }) => {
        await domain.dns.delete(context, domainOf(params.domain_id), params.id);
        return bare();
      },
    }),
  ],
};
