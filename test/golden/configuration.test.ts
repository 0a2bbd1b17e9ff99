import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { authTokenOptions } from '@folsom/auth';
import { commonOptions, loadConfig, type OptionGroup } from '@folsom/config';
import { createLogger } from '@folsom/core';
import { identityOptions } from '@folsom/identity';
import { imageOptions, storeOptions } from '@folsom/image';
import { novaOptions } from '@folsom/nova/options';
import { novaNotHonoured } from '@folsom/nova/options/not-honoured';
import { describe, expect, it } from 'vitest';

/** nova.conf of the installation walk-through. */
const WALKTHROUGH_CONF = fileURLToPath(new URL('../walkthrough/nova.conf', import.meta.url));
/** The originals' options with their defaults, read from the loaded programs. */
const FACTS = new URL('./config-facts.md', import.meta.url);

describe("the walk-through's nova.conf", () => {
  it('is accepted as it stands, with one sentence about the broker', () => {
    const warnings: { message: string }[] = [];
    const config = loadConfig({
      program: 'nova-api',
      declarations: [commonOptions, novaOptions, authTokenOptions],
      notHonoured: novaNotHonoured,
      argv: ['--config-file', WALKTHROUGH_CONF],
      log: createLogger({ level: 'warn', write: line => warnings.push(JSON.parse(line)) }),
    });
    expect(config.of(novaOptions)).toMatchObject({
      auth_strategy: 'keystone',
      my_ip: '172.16.200.6',
      sql_connection: 'mysql://nova:nova@172.16.200.6/nova',
      network_manager: 'nova.network.manager.FlatDHCPManager',
      force_dhcp_release: true,
      volume_name_template: 'volume-%08x',
      glance_api_servers: ['172.16.200.6:9292'],
    });
    expect(config.raw('keystone_authtoken', 'admin_user')).toEqual(['nova']);
    expect(warnings.map(line => line.message)).toEqual([expect.stringContaining('RabbitMQ is the broker')]);
  });
});

/** Defaults of ours that differ on purpose. */
const OTHERWISE: Record<string, string> = {
  network_host: 'the same: this host',
  host: 'the name of the machine, given at start',
  my_ip: 'the address of the machine, given at start',
  state_path: 'there is no Python package to keep state in',
  lock_path: 'there is no Python package to keep locks in',
  memcached_servers: 'an empty list says the same',
};

describe('option defaults', () => {
  it('are those of the original', () => {
    const groupsOf: [RegExp, readonly OptionGroup[]][] = [
      [/^nova/, [novaOptions, commonOptions]],
      [/^glance/, [imageOptions, storeOptions, commonOptions]],
      [/^keystone/, [...identityOptions, commonOptions]],
    ];
    let groups: readonly OptionGroup[] = [];
    let same = 0;
    const absent: string[] = [];
    const different: string[] = [];
    for (const line of readFileSync(FACTS, 'utf8').split('\n')) {
      if (line.startsWith('## ')) groups = groupsOf.find(([name]) => name.test(line.slice(3)))?.[1] ?? [];
      const row = /^\| (?:(\w+) \| )?`([^`]+)` \| (?:\w+ \| )?`(.*?)` \|/.exec(line);
      if (!row) continue;
      const [, section = 'DEFAULT', name = '', wanted] = row;
      const option = groups
        .filter(group => group.group === section)
        .flatMap(group => Object.entries(group.options))
        .find(([own, { aliases }]) => own === name || aliases.includes(name))?.[1];
      if (!option) absent.push(`[${section}] ${name}`);
      else if (pythonText(option.default, option.kind === 'float') === wanted) same++;
      else if (!(name in OTHERWISE)) different.push(`[${section}] ${name}: ${String(option.default)}`);
    }
    console.log(`option defaults: ${same} as in the original, not declared here: ${absent.join(', ')}`);
    expect(different).toEqual([]);
    expect(same).toBeGreaterThan(215);
  });
});

function pythonText(value: unknown, float: boolean): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(item => `'${item}'`).join(', ')}]`;
  return float && Number.isInteger(value) ? `${value}.0` : String(value);
}
