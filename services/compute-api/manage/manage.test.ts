import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commonOptions, configFrom } from '@folsom/config';
import { seededRandom, systemClock } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { novaOptions } from '@folsom/nova/options';
import type { Message } from '@folsom/rpc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressesIn } from '../domain/operator/index.ts';
import { runNovaManage } from './nova-manage.ts';
import { floating, textList, unicodeDict, unicodeRepr } from './python-text.ts';

let dir: string;
let connection: string;
const sent: [string, Message][] = [];
const answers: string[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'manage-'));
  connection = `sqlite:///${join(dir, 'nova.db')}`;
  await onDatabase(db => dbSync(db, 'nova'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function onDatabase<T>(fn: (db: Database) => Promise<T>): Promise<T> {
  const db = await openDatabase({ connection });
  try {
    return await fn(db);
  } finally {
    await db.close();
  }
}

/** Runs a command line and gives what was printed, standard error after it, and the exit code. */
async function manage(line: string, settings: Record<string, string> = {}): Promise<string> {
  let text = '';
  const code = await runNovaManage(
    {
      script: 'nova-manage',
      config: configFrom([commonOptions, novaOptions], { DEFAULT: settings }),
      clock: systemClock,
      random: seededRandom(3),
      out: more => {
        text += more;
      },
      err: more => {
        text += more.replace(/^\S+ \S+ /, '');
      },
      ask: prompt => {
        text += prompt;
        return answers.shift() ?? '';
      },
      openDatabase: () => openDatabase({ connection: settings.sql_connection ?? connection }),
      createNetworks: () => Promise.reject(new Error('not here')),
      cast: async (topic, message) => void sent.push([topic, message]),
      systemLogs: [join(dir, 'syslog')],
    },
    line.split(' ').filter(word => word !== ''),
  );
  return `${text}[${code}]`;
}

describe('values as Python prints them', () => {
  it('escapes and quotes', () => {
    expect(unicodeRepr("it's")).toBe('u"it\'s"');
    expect(unicodeRepr('é☃🐟\n\\')).toBe("u'\\xe9\\u2603\\U0001f41f\\n\\\\'");
    expect(unicodeDict({ a: 'b', c: null })).toBe("{u'a': u'b', u'c': None}");
    expect(textList(['a', 'b'])).toBe("['a', 'b']");
    expect([floating(1), floating(0.5)]).toEqual(['1.0', '0.5']);
  });
});

describe('command lines', () => {
  it('find categories and actions by their beginning', async () => {
    expect(await manage('versio')).toBe('2012.2.4 (2012.2.4-LOCALBRANCH:LOCALREVISION)\n[0]');
    expect(await manage('fl list')).toBe('fl matched multiple options:\n\tflavor\n\tfloating\n[2]');
    expect(await manage('bash-completion')).toContain('account agent config');
    expect(await manage('bash-completion db')).toBe('sync version\n[0]');
  });
  it('say in one sentence what does not fit', async () => {
    expect(await manage('db sync 1 2')).toContain(
      'CRITICAL nova [-] sync() takes at most 2 arguments (3 given)',
    );
    expect(await manage('host list a --zone=b')).toContain('no such option: --zone');
    expect(await manage('flavor list a --name=b')).toContain(
      "list() got multiple values for keyword argument 'name'",
    );
    expect(await manage('vm list', { sql_connection: `sqlite:///${join(dir, 'new.db')}` })).toContain(
      'run "nova-manage db sync"',
    );
    expect(await manage('db sync --version=x')).toContain('version should be an integer');
    expect(await manage('db sync --version=200')).toContain('cannot be reached');
  });
});

describe('floating', () => {
  it('takes single addresses and blocks without their ends', () => {
    expect(addressesIn('192.0.2.7')).toEqual(['192.0.2.7']);
    expect(addressesIn('192.0.2.0/30')).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(() => addressesIn('192.0.2.0/31')).toThrow(/should be specified as single address/);
    expect(() => addressesIn('10.0.0.0/8')).toThrow(/more than 65536/);
    expect(() => addressesIn('zz')).toThrow('invalid IPNetwork zz');
  });
  it('creates all or none', async () => {
    expect(await manage('floating create 198.51.100.6 pool eth9')).toBe('[0]');
    expect(await manage('floating create 198.51.100.0/29')).toBe(
      'error: Floating ip 198.51.100.6 already exists.\n[1]',
    );
    expect(await manage('floating list')).toBe('None\t198.51.100.6\tNone\tpool\teth9\n[0]');
    expect(await manage('floating delete 198.51.100.0/29')).toBe('[0]');
    expect(await manage('floating list')).toBe('No floating IP addresses have been defined.\n[0]');
  });
});

describe('quota', () => {
  it('sets and shows the limits of a project', async () => {
    const shown = await manage('project quota p1 instances 5');
    expect(shown).toContain('instances: 5\n');
    expect(shown).toContain('cores: 20\n');
    expect(await manage('account quota p1 cores unlimited')).toContain('cores: unlimited\n');
    expect(await manage('project quota p1 ram lots')).toContain(
      "invalid literal for int() with base 10: 'lots'",
    );
  });
});

describe('agents', () => {
  it('are created, listed, changed and deleted', async () => {
    expect(await manage('agent create linux x86 1.0 http://x/1 md5a')).toBe('[0]');
    expect(await manage('agent modify linux x86 1.1 http://x/2 md5b')).toBe('[0]');
    expect(await manage('agent list')).toBe(
      [
        'Hypervisor: xen',
        `${'-'.repeat(10)}  ${'-'.repeat(8)}  ${'-'.repeat(12)}  ${'-'.repeat(32)}`,
        'linux       x86                1.1  md5b',
        '    http://x/2',
        '',
        '[0]',
      ].join('\n'),
    );
    expect(await manage('agent list kvm')).toBe('[0]');
    expect(await manage('agent delete linux x86')).toBe('[0]');
    expect(await manage('agent delete linux x86')).toContain('No agent-build of hypervisor xen');
  });
});

describe('flavors', () => {
  it('refuse what is no flavor, and make an id', async () => {
    const refused = 'Must supply valid parameters to create instance_type\nInvalid input received: ';
    expect(await manage('flavor create a/b 1 1 1 1')).toBe(
      `${refused}names can only contain [a-zA-Z0-9_.- ]\n[1]`,
    );
    for (const bad of ['0 1 1 1', '1 0 1 1', '1 1 --root_gb=-1 --eph=1', '1 1 1 x', '99999999999 1 1 1']) {
      expect(await manage(`flavor create c ${bad}`)).toBe(
        `${refused}create arguments must be positive integers\n[1]`,
      );
    }
    expect(
      await manage('flavor create --name=mine --memory=64 --cpu=1 --root=1 --eph=2 --is_public=no'),
    ).toBe('mine created\n[0]');
    expect(await manage('flavor list mine')).toMatch(
      /Root: 1GB, Ephemeral: 2Gb, FlavorID: [0-9a-f-]{36}, .* private, ExtraSpecs \{\}\n\[0\]$/,
    );
    expect(await manage('flavor set_key nosuch a b')).toBe(
      'Instance type with name nosuch could not be found.\n[2]',
    );
    expect(await manage('flavor set_key mine cpu_arch x86')).toBe(
      'Key cpu_arch set to x86 on instance type mine\n[0]',
    );
    expect(await manage('flavor list')).toContain("ExtraSpecs {u'cpu_arch': u'x86'}");
  });
});

describe('networks of projects', () => {
  it('vpn change takes a free network, scrub gives it back with the security groups', async () => {
    expect(await manage('vpn change p9 192.0.2.1 1000')).toContain('No more available networks.');
    await onDatabase(async ({ knex }) => {
      await knex('networks').insert({
        cidr: '10.7.0.0/24',
        uuid: 'net-7',
        multi_host: 0,
        injected: 0,
        deleted: 0,
      });
      await knex('security_groups').insert({ name: 'g', project_id: 'p9', deleted: 0 });
    });
    expect(await manage('vpn change --project=p9 --ip=192.0.2.1 --port=1000')).toBe('[0]');
    expect(await manage('network delete --uuid=net-7')).toContain(
      'Network must be disassociated from project p9 before delete',
    );
    expect(await manage('project scrub p9')).toBe('[0]');
    await onDatabase(async ({ knex }) => {
      expect(await knex('networks').where({ uuid: 'net-7' }).first()).toMatchObject({
        project_id: null,
        vpn_public_address: '192.0.2.1',
        vpn_public_port: 1000,
      });
      expect(await knex('security_groups').where({ project_id: 'p9', deleted: 0 })).toEqual([]);
    });
    expect(await manage('network delete 10.7.0.0/24')).toBe('[0]');
    expect(await manage('network list')).toContain('No networks found\n[0]');
  });
});

describe('volumes', () => {
  it('delete tells the volume host, or forgets a volume no host has', async () => {
    await onDatabase(async ({ knex }) => {
      const volume = { size: 1, deleted: 0, status: 'error' };
      await knex('volumes').insert({ ...volume, id: 'v-1', host: 'h1' });
      await knex('volumes').insert({ ...volume, id: 'v-2', host: null });
      await knex('volumes').insert({ ...volume, id: 'v-3', host: 'h1', status: 'in-use' });
      await knex('volume_id_mappings').insert({ id: 10, uuid: 'v-1', deleted: 0 });
    });
    await manage('volume delete vol-0000000a');
    expect(sent).toEqual([['volume.h1', { method: 'delete_volume', args: { volume_id: 'v-1' } }]]);
    expect(await manage('volume delete v-2')).toContain('skipping rpc.\n[0]');
    expect(await manage('volume delete v-2')).toContain('Volume v-2 could not be found.');
    expect(await manage('volume delete v-3')).toContain('Volume is in-use.');
    expect(await manage('volume reattach v-3')).toBe('volume is not attached to an instance\n[0]');
    expect(await manage('volume reattach v-3', { volume_api_class: 'nova.volume.cinder.API' })).toContain(
      '[1]',
    );
  });
});

describe('storage manager', () => {
  it('asks before it adds a backend', async () => {
    expect(await manage('sm flavor_create gold fast')).toBe('[0]');
    answers.push('n', 'y');
    expect(await manage('sm backend_add gold nfs server=s')).toContain('Proceed? (y/n) [0]');
    expect(await manage('sm backend_add gold nfs server=s serverpath=/p')).toContain('Proceed');
    expect((await manage('sm backend_list')).split('\n')).toHaveLength(3);
    expect(await manage('sm backend_list')).toContain('server=s serverpath=/p');
    expect(await manage('sm backend_add silver nfs')).toBe('error: no flavor with label silver\n[2]');
    expect(await manage('sm backend_remove 1')).toBe('[0]');
    expect(await manage('sm flavor_delete gold')).toBe('[0]');
    expect((await manage('sm flavor_list')).split('\n')).toHaveLength(2);
  });
});

describe('config and logs', () => {
  it('converts flag files', async () => {
    writeFileSync(join(dir, 'more'), '--noverbose\n');
    writeFileSync(
      join(dir, 'flags'),
      `# old\n--my_ip=192.0.2.1\n--use_ipv6\n--flagfile=${join(dir, 'more')}\n`,
    );
    const wanted = '[DEFAULT]\nmy_ip=192.0.2.1\nuse_ipv6=true\nverbose=false\n';
    expect(await manage(`config convert ${join(dir, 'flags')}`)).toBe(`${wanted}[0]`);
    await manage(`config convert --infile=${join(dir, 'flags')} --outfile=${join(dir, 'out.conf')}`);
    expect(readFileSync(join(dir, 'out.conf'), 'utf8')).toBe(wanted);
    expect(await manage('config list')).toContain('\nfixed_range = 10.0.0.0/8\n');
  });
  it('finds errors in logs of either form, last first', async () => {
    expect(await manage('logs errors')).toBe('No errors in logfiles!\n[0]');
    writeFileSync(join(dir, 'a.log'), 'x\n{"level":"error","message":"m"}\n2012 ERROR nova\n');
    expect(await manage('logs errors', { log_dir: dir })).toBe(
      `${join(dir, 'a.log')}:-\nLine 3 : 2012 ERROR nova\nLine 2 : {"level":"error","message":"m"}\n[0]`,
    );
    expect(await manage('logs syslog 1')).toBe('Unable to find system log file!\n[1]');
    writeFileSync(join(dir, 'syslog'), 'a nova 1\nother\na nova 2\n');
    expect(await manage('logs syslog 1')).toBe('Last 1 nova syslog entries:-\na nova 2\n[0]');
  });
});
