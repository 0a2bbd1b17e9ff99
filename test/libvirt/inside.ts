import { must } from '@folsom/core';
import { eventually, type HostUnderTest, sshTo } from './host-under-test.ts';

/** The address of an instance in its network. */
const addressOf = async (host: HostUnderTest, uuid: string): Promise<string> =>
  must(
    await host.db.knex('fixed_ips').where({ instance_uuid: uuid }).first('address'),
    'it was given an address',
  ).address;

/** What a command says in a guest, as soon as that answers ssh and the command ends well. */
export async function inGuest(
  host: HostUnderTest,
  key: { file: string },
  uuid: string,
  command: string,
  user = 'cirros',
): Promise<string> {
  const address = await addressOf(host, uuid);
  const done = await eventually(
    () => sshTo(host, key.file, `${user}@${address}`, command),
    ({ code }) => code === 0,
  );
  return done.stdout.trim();
}
