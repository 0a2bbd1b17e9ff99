import { must } from '@folsom/core';
import type { HostState } from '../host-state.ts';
import { everyHost, type Filter, noHost } from './filter.ts';

/** Hint `query`: a condition as JSON text, e.g. `["and", [">=", "$free_ram_mb", 1024], ["=", "$host", "h1"]]`. */
export const jsonFilter: Filter = {
  name: 'JsonFilter',
  module: 'json_filter',
  prepare: ({ hints }) => {
    const { query } = hints;
    if (query === undefined || query === null || query === '') return everyHost;
    const condition = parse(query);
    if (condition === undefined) return noHost;
    return host => {
      const result = evaluate(condition, host);
      return Array.isArray(result) ? result.some(truthy) : truthy(result);
    };
  },
};

const QUERY_CHARS_MAX = 10_000;
const DEPTH_MAX = 20;

/** A condition of known operators; undefined for anything else. */
function parse(query: unknown): unknown[] | undefined {
  if (typeof query !== 'string' || query.length > QUERY_CHARS_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(query);
    return wellFormed(value, 0) ? (value as unknown[]) : undefined;
  } catch {
    return undefined;
  }
}

function wellFormed(value: unknown, depth: number): boolean {
  if (!Array.isArray(value)) return depth > 0;
  if (value.length === 0) return true;
  if (depth > DEPTH_MAX || typeof value[0] !== 'string' || !Object.hasOwn(OPERATORS, value[0])) return false;
  return value.slice(1).every(item => wellFormed(item, depth + 1));
}

const truthy = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.length > 0
    : typeof value === 'object' && value !== null
      ? Object.keys(value).length > 0
      : Boolean(value);

/** The first against each of the others; false when there is nothing to compare with. */
const compareAll =
  (compare: (a: unknown, b: unknown) => boolean) =>
  ([first, ...others]: unknown[]) =>
    others.length > 0 && others.every(other => compare(first, other));

const ordered = (compare: (a: number | string, b: number | string) => boolean) =>
  compareAll((a, b) => {
    const same = typeof a === typeof b && (typeof a === 'number' || typeof a === 'string');
    return same && compare(a as number, b as number);
  });

const OPERATORS: Readonly<Record<string, (args: unknown[]) => unknown>> = {
  '=': compareAll((a, b) => a === b),
  '<': ordered((a, b) => a < b),
  '>': ordered((a, b) => a > b),
  '<=': ordered((a, b) => a <= b),
  '>=': ordered((a, b) => a >= b),
  in: ([first, ...others]) => others.includes(first),
  not: args => args.map(arg => !truthy(arg)),
  or: args => args.some(truthy),
  and: args => args.every(truthy),
};

function evaluate(condition: unknown[], host: HostState): unknown {
  if (condition.length === 0) return true;
  const args = condition
    .slice(1)
    .map(arg =>
      Array.isArray(arg) ? evaluate(arg, host) : typeof arg === 'string' ? lookUp(arg, host) : arg,
    )
    .filter(arg => arg !== null && arg !== undefined);
  return must(OPERATORS[condition[0] as string], 'condition[0] as string is in OPERATORS')(args);
}

/** Names of host facts that a query may use, as Folsom's HostState has them. */
const FACTS: Readonly<Record<string, (host: HostState) => unknown>> = {
  host: host => host.host,
  topic: () => 'compute',
  capabilities: host => host.capabilities,
  service: host => host.service,
  free_ram_mb: host => host.freeRamMb,
  total_usable_ram_mb: host => host.totalRamMb,
  free_disk_mb: host => host.freeDiskMb,
  total_usable_disk_gb: host => host.totalDiskGb,
  disk_mb_used: host => host.diskMbUsed,
  vcpus_total: host => host.vcpusTotal,
  vcpus_used: host => host.vcpusUsed,
  limits: host => host.limits,
};

function lookUp(text: string, host: HostState): unknown {
  if (text === '') return null;
  if (!text.startsWith('$')) return text;
  const [name = '', ...path] = text.slice(1).split('.');
  if (!Object.hasOwn(FACTS, name)) return null;
  let value: unknown = must(FACTS[name], 'name is in FACTS')(host);
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return null;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}
