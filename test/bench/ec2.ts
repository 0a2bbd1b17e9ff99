import { startEc2Front, startTestApi } from '@folsom/compute-api/testing';
import { startMariaDb } from '@folsom/testing';
import { fill, rate } from './compute-api.ts';
import type { Bench } from './run.ts';

const FOR_MS = 3_000;

/** DescribeInstances with 1,000 instances, on SQLite and, where it is installed, MariaDB. */
export const bench: Bench = async print => {
  await measure('SQLite', undefined, print);
  const server = await startMariaDb().catch(() => undefined);
  if (!server) return print('MariaDB is not installed: SQLite only');
  try {
    await measure('MariaDB', await server.createDatabase('nova'), print);
  } finally {
    await server.stop();
  }
};

async function measure(name: string, connection: string | undefined, print: (line: string) => void) {
  const quota = { quota_instances: -1, quota_cores: -1, quota_ram: -1 };
  const test = await startTestApi({ nova: quota, ...(connection ? { connection } : {}) });
  const { ec2, act } = await startEc2Front(test);
  const describe = async () => {
    const { status, text } = await act('DescribeInstances');
    if (status !== 200) throw new Error(`DescribeInstances: ${status} ${text.slice(0, 200)}`);
  };
  try {
    await fill(test);
    for (const clients of [1, 8])
      print(`${name} DescribeInstances c=${clients}: ${await rate(describe, clients, FOR_MS)}`);
  } finally {
    await ec2.stop();
    await test.stop();
  }
}
