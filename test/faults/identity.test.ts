import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts, type RunningProgram, runProgram, startProgram, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const TOKEN = 'faults-of-identity';
/** Acknowledged writes after which the process is killed, with others under way: twelve different moments. */
const MOMENTS = [1, 2, 3, 4, 5, 7, 9, 12, 15, 19, 24, 30];

interface Row {
  id: string;
  name: string;
}

describe('keystone killed in the middle of writes', () => {
  const place = tempDir('faults-identity');
  let conf: string;
  let url: string;
  let ports: [number, number];
  let program: RunningProgram;
  const acknowledged = { tenants: new Set<string>(), users: new Map<string, string>() };
  let serial = 0;
  let left = 0;
  const written = () => {
    left -= 1;
    if (left === 0) program.kill('SIGKILL');
  };

  const start = async () => {
    program = await startProgram('keystone-all', ['--config-file', conf], {
      logFile: join(place.path, 'keystone.log'),
      ports: ports.map(port => ({ host: '127.0.0.1', port })),
      timeoutMs: 60_000,
    });
  };
  const call = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(url + path, {
      method,
      headers: { 'x-auth-token': TOKEN, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    const text = await response.text();
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  };
  /** Writes until the process is gone; only what was answered counts. */
  const write = async (): Promise<void> => {
    try {
      for (;;) {
        const number = serial++;
        const name = `n${number}`;
        const { tenant } = (await call('POST', '/tenants', { tenant: { name, enabled: true } })) as {
          tenant: Row;
        };
        acknowledged.tenants.add(tenant.id);
        written();
        const { user } = (await call('POST', '/users', {
          user: { name, password: `of-${name}`, tenantId: tenant.id, enabled: true },
        })) as { user: Row };
        acknowledged.users.set(user.id, name);
        written();
        if (number % 4 === 0) {
          // Once it is asked for, the user may be there or not.
          acknowledged.users.delete(user.id);
          await call('DELETE', `/users/${user.id}`);
        }
      }
    } catch {
      // The connection broke: what was under way may be there or not.
    }
  };

  beforeAll(async () => {
    ports = (await freePorts(2)) as [number, number];
    url = `http://127.0.0.1:${ports[1]}/v2.0`;
    conf = join(place.path, 'keystone.conf');
    const lines = [
      '[DEFAULT]',
      `admin_token = ${TOKEN}`,
      'bind_host = 127.0.0.1',
      `public_port = ${ports[0]}`,
      `admin_port = ${ports[1]}`,
      'crypt_strength = 1000',
      '[sql]',
      `connection = sqlite:///${join(place.path, 'keystone.sqlite')}`,
    ];
    await writeFile(conf, lines.join('\n'), { mode: 0o600 });
    expect((await runProgram('keystone-manage', ['--config-file', conf, 'db_sync'])).code).toBe(0);
    await start();
  });
  afterAll(async () => {
    await program?.stop();
    place.remove();
  });

  it.each(MOMENTS)(
    'after %i writes: what was acknowledged is there, whole, and can be used',
    async moment => {
      left = moment;
      await Promise.all([write(), write(), write()]);
      await program.exited;
      await start();
      const tenants = new Set(((await call('GET', '/tenants')).tenants as Row[]).map(row => row.id));
      expect([...acknowledged.tenants].filter(id => !tenants.has(id))).toEqual([]);
      const users = new Map(((await call('GET', '/users')).users as Row[]).map(row => [row.id, row.name]));
      expect([...acknowledged.users].filter(([id, name]) => users.get(id) !== name)).toEqual([]);
      const [last] = [...acknowledged.users.values()].slice(-1);
      if (last === undefined) return;
      const login = await fetch(`http://127.0.0.1:${ports[0]}/v2.0/tokens`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ auth: { passwordCredentials: { username: last, password: `of-${last}` } } }),
      });
      expect(login.status).toBe(200);
    },
  );

  it('has had enough to lose', () => {
    expect(acknowledged.tenants.size).toBeGreaterThan(50);
    expect(acknowledged.users.size).toBeGreaterThan(30);
  });
});
