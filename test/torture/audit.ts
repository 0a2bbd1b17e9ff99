import { systemClock } from '@folsom/core';
import { novaInvariants } from '../simulation/invariants.ts';
import { ask, md5, objectWrong, type Tenant } from './clients.ts';
import type { Cloud } from './cloud.ts';
import type { Ledger } from './ledger.ts';
import { HOSTS } from './settings.ts';

/** Faults of an instance that nobody decided on: its message was lost. */
const LOST_FAULTS = ['InstanceInterrupted'];

/** Everything that was acknowledged is there or finished, and every count is that of the rows. One sentence a finding. */
export async function audit(cloud: Cloud, ledger: Ledger, tenants: readonly Tenant[]): Promise<string[]> {
  const [rows, stored] = await Promise.all([
    auditNova(cloud, ledger, tenants),
    auditStored(cloud, ledger, tenants),
  ]);
  return [...rows, ...stored];
}

/** Until nothing is wrong any more, or nothing has been for as long as one waits for a cloud to settle. */
export async function settled(find: () => Promise<string[]>, patienceMs: number): Promise<string[]> {
  const end = systemClock.monotonic() + patienceMs;
  for (;;) {
    const found = await find();
    if (found.length === 0 || systemClock.monotonic() > end) return found;
    await systemClock.sleep(1000);
  }
}

async function auditNova(cloud: Cloud, ledger: Ledger, tenants: readonly Tenant[]): Promise<string[]> {
  const { knex } = cloud.db;
  const out = await novaInvariants({
    db: cloud.db,
    hosts: HOSTS,
    guests: cloud.guests,
    packetFilter: cloud.packetFilter,
    servers: [...ledger.servers.values()],
    tenants: tenants.map(({ id, name, token }) => ({
      id,
      name,
      absolute: async () => {
        const answer = await ask(`${cloud.compute[0]}/v2/${id}/limits`, token);
        if (answer.status !== 200) throw new Error(`limits: ${answer.status} ${answer.bytes}`);
        return answer.json.limits.absolute;
      },
    })),
  });
  const ids = [...ledger.servers.keys()];
  const lost = (await knex('instance_faults as f')
    .join('instances as i', 'i.uuid', 'f.instance_uuid')
    .where({ 'i.vm_state': 'error', 'i.deleted': 0 })
    .whereIn('f.message', LOST_FAULTS)
    .whereIn('i.uuid', ids.slice(-2000))
    .whereNull('i.host')
    .distinct('i.uuid')) as { uuid: string }[];
  for (const { uuid } of lost) out.push(`lost: ${uuid}: its boot was acknowledged, and its message was lost`);
  return out;
}

async function auditStored(cloud: Cloud, ledger: Ledger, tenants: readonly Tenant[]): Promise<string[]> {
  const out: string[] = [];
  await eachOf(ledger.objects, async ([path, { may }]) => {
    const { token } = tenants.find(one => path.includes(one.id))!;
    const answer = await ask(cloud.objects + path, token);
    if (answer.status !== 200 && answer.status !== 404) out.push(`stuck: ${path}: ${answer.status}`);
    else {
      const wrong = objectWrong(path, may, answer);
      if (wrong) out.push(wrong);
    }
  });
  await eachOf(ledger.images.values(), async one => {
    const answer = await ask(`${cloud.image}/v1/images/${one.id}`, one.token);
    if (one.deletion === 'none' && (answer.status !== 200 || md5(answer.bytes) !== one.md5))
      out.push(`lost: image ${one.id}: ${answer.status}`);
    if (one.deletion === 'acknowledged' && answer.status !== 404)
      out.push(`stuck: image ${one.id} was deleted: ${answer.status}`);
  });
  await eachOf(ledger.users, async ([id, { deletion, name }]) => {
    const answer = await ask(`${cloud.identityAdmin}/users/${id}`, cloud.adminToken);
    if (deletion === 'none' && answer.status !== 200) out.push(`lost: user ${name}: ${answer.status}`);
    if (deletion === 'acknowledged' && answer.status !== 404)
      out.push(`stuck: user ${name} was deleted: ${answer.status}`);
  });
  return out;
}

/** How many things are asked for at a time. */
const WIDTH = 6;

async function eachOf<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const left = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = left.next(); !next.done; next = left.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
}

/** Findings by what became of things. */
export function tally(found: readonly string[]): {
  lost: number;
  stuck: number;
  leaked: number;
  other: number;
} {
  const tallied = { lost: 0, stuck: 0, leaked: 0, other: 0 };
  for (const text of found) {
    const kind = /^(lost|stuck|leaked):/.exec(text)?.[1] as keyof typeof tallied | undefined;
    tallied[kind ?? 'other']++;
  }
  return tallied;
}
