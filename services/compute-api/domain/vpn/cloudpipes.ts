import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFault, must, type RequestContext, requestContext } from '@folsom/core';
import { fromSqlTime } from '@folsom/db';
import { fixedIpsOf, parseNetworkInfo } from '@folsom/nova/network-info';
import type { NetworkRow } from '@folsom/nova/networks';
import { boot } from '../boot.ts';
import type { BootRequest } from '../boot-request.ts';
import type { Deps } from '../deps.ts';
import { makeKeyPair } from '../keypairs.ts';
import { addRule } from '../security-group-rules.ts';
import { createGroup } from '../security-groups.ts';
import { bootScript, vpnUserData } from './payload.ts';
import { vpnAnswers } from './ping.ts';

/** The user that VPN guests, their keys and certificates are of, whichever project's they are. */
const VPN_USER = 'project-vpn';
const VPN_PORT = 1194;
/** How long a VPN may take to answer, ms. */
const PING_MS = 250;

/** A project's VPN guest. */
export interface Cloudpipe {
  project_id: string;
  instance_id: string;
  created_at: number | null;
  internal_ip?: string;
  public_ip?: string | null;
  public_port?: number | null;
  /** `running`, `down`, or `invalid` where its network has no public address for it; absent while it has no address. */
  state?: string;
}

interface GuestRow {
  uuid: string;
  project_id: string;
  created_at: unknown;
  network_info: string | null;
}

/** Guests of the VPN image; with a project only its own. */
const guestsOf = (deps: Deps, project?: string): Promise<GuestRow[]> => {
  const query = deps.db
    .knex('instances')
    .leftJoin('instance_info_caches as cache', join_ =>
      join_.on('cache.instance_uuid', 'instances.uuid').andOnVal('cache.deleted', 0),
    )
    .where({ 'instances.deleted': 0, 'instances.image_ref': deps.config.vpn_image_id })
    .whereNot('instances.vm_state', 'deleted')
    .orderBy('instances.id');
  return (project === undefined ? query : query.where('instances.project_id', project)).select(
    'instances.uuid as uuid',
    'instances.project_id as project_id',
    'instances.created_at as created_at',
    'cache.network_info as network_info',
  );
};

/** All of them, each asked whether its VPN answers. */
export async function listCloudpipes(deps: Deps, _context: RequestContext): Promise<Cloudpipe[]> {
  const guests = await guestsOf(deps);
  const infos = guests.map(guest => parseNetworkInfo(guest.network_info));
  const uuids = infos.flatMap(info => info[0]?.network?.id ?? []);
  const rows: Pick<NetworkRow, 'uuid' | 'vpn_public_address' | 'vpn_public_port'>[] =
    uuids.length === 0
      ? []
      : await deps.db
          .knex('networks')
          .where('deleted', 0)
          .whereIn('uuid', uuids)
          .select('uuid', 'vpn_public_address', 'vpn_public_port');
  const networks = new Map(rows.map(row => [row.uuid, row]));
  return Promise.all(
    guests.map(async ({ uuid, project_id, created_at }, at) => {
      const pipe: Cloudpipe = { project_id, instance_id: uuid, created_at: fromSqlTime(created_at) };
      const info = infos[at] ?? [];
      const inside = fixedIpsOf(info.slice(0, 1)).find(ip => ip.version === 4)?.address;
      if (inside) pipe.internal_ip = inside;
      const network = networks.get(info[0]?.network?.id ?? '');
      if (network === undefined) return pipe;
      const { vpn_public_address: address, vpn_public_port: port } = network;
      const state =
        address && port ? ((await vpnAnswers(address, port, PING_MS)) ? 'running' : 'down') : 'invalid';
      return { ...pipe, public_ip: address, public_port: port, state };
    }),
  );
}

/** Starts the VPN guest of a project unless it has one. Answers its uuid. @throws as a boot does */
export async function createCloudpipe(
  deps: Deps,
  caller: RequestContext,
  projectId: string,
): Promise<string> {
  const [present] = await guestsOf(deps, projectId);
  if (present !== undefined) return present.uuid;
  // As a user of that project, with the caller's token for the image service.
  const context = requestContext({
    ...caller,
    ...{ projectId, userId: VPN_USER, isAdmin: false, roles: [] },
  });
  // Before anything is made for a guest that cannot be.
  await deps.images.show(context, deps.config.vpn_image_id);
  const name = `${projectId}${deps.config.vpn_key_suffix}`;
  const userData = await userDataFor(deps, context);
  await keyPair(deps, context, name);
  await securityGroup(deps, context, name);
  const request: BootRequest = {
    flavor: { name: deps.config.vpn_instance_type },
    ...{ imageId: deps.config.vpn_image_id, name, minCount: 1, maxCount: 1, keyName: name },
    ...{ metadata: {}, injectedFiles: [], securityGroups: [name], networks: null, userData },
    ...{ availabilityZone: null, configDrive: null, blockDevices: [], schedulerHints: {} },
    ...{ accessIpV4: null, accessIpV6: null, autoDiskConfig: null },
  };
  return must((await boot(deps, context, request)).uuids[0], 'a boot has a uuid');
}

/** Its script, and the certificates of its server, signed for the project. */
async function userDataFor(deps: Deps, context: RequestContext): Promise<string> {
  const { config } = deps;
  const project_id = context.projectId;
  const ask = (method: string, args: Record<string, unknown>) =>
    deps.bus.call(context, config.cert_topic, { method, version: '1.0', args });
  const made = await ask('generate_x509_cert', { user_id: VPN_USER, project_id });
  const [key, certificate] = made as [string, string];
  const facts = {
    ...{ apiHost: config.ec2_dmz_host, apiPort: config.ec2_port },
    ...{ network: config.dmz_net, mask: config.dmz_mask, clients: config.cnt_vpn_clients },
  };
  return vpnUserData(await bootScript(config.boot_script_template), facts, {
    ...{ key, certificate },
    authority: String(await ask('fetch_ca', { project_id })),
    revoked: String(await ask('fetch_crl', { project_id })),
  });
}

/** A key to log in with, which stays in a file of this host, for its operator. */
async function keyPair(deps: Deps, context: RequestContext, name: string): Promise<void> {
  const made = await makeKeyPair(deps, context, name).catch(error => {
    if (!isFault(error, 'KeyPairExists')) throw error;
    return undefined;
  });
  if (made?.private_key === undefined) return;
  const folder = join(deps.config.keys_path, VPN_USER);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, `${name}.pem`), made.private_key, { mode: 0o600 });
}

/** Lets in what a VPN needs. */
async function securityGroup(deps: Deps, context: RequestContext, name: string): Promise<void> {
  const made = await createGroup(deps, context, name, 'Group for vpn').catch(error => {
    if (!isFault(error, 'SecurityGroupExists')) throw error;
    return undefined;
  });
  if (made === undefined) return;
  const open = [
    { protocol: 'udp', from: VPN_PORT, to: VPN_PORT },
    { protocol: 'icmp', from: -1, to: -1 },
  ];
  for (const { protocol, from, to } of open) {
    const rule = { protocol, fromPort: from, toPort: to, cidr: '0.0.0.0/0' };
    await addRule(deps, context, { parent: name, source: undefined, ...rule });
  }
}
