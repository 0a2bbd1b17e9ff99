import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { must } from '@folsom/core';
import { populate } from '../folsom/bootstrap.ts';
import { PARTS, PORTS } from '../folsom/layout.ts';
import { request, requestJson } from '../folsom/request.ts';
import { readSecrets } from './conf.ts';
import { FIXED_RANGE } from './plan.ts';
import { HOST_SHELL_ENV, type Lab, programWords, spaceOf } from './processes.ts';
import { runOn } from './spaces.ts';

const COMMAND_MS = 180_000;
const ASK_MS = 120_000;
/** The fake driver boots anything. */
const PLACEHOLDER = Buffer.alloc(1024);
/** They run on no host of the lab. */
const NOWHERE = ['volume'];

const controllerOf = (lab: Lab) => must(lab.plan.plan[0], 'there is a controller');

const onController = (lab: Lab, name: string, ...args: string[]) =>
  runOn(spaceOf(lab, controllerOf(lab).name), programWords(name, args), {
    env: HOST_SHELL_ENV,
    timeoutMs: COMMAND_MS,
  });

/** Makes the tables, each with its service's own program. */
export async function fillDatabases(lab: Lab): Promise<void> {
  await Promise.all([
    onController(lab, 'keystone-manage', 'db_sync'),
    onController(lab, 'glance-manage', 'db_sync'),
    onController(lab, 'nova-manage', 'db', 'sync'),
  ]);
  await onController(
    ...([lab, 'nova-manage', 'network', 'create', 'private', FIXED_RANGE, '1', '256'] as const),
    '--bridge=br100',
    '--bridge_interface=eth1',
  );
}

/** People and catalog, once keystone runs; an image to boot from, once everything does. */
export async function fillServices(lab: Lab, what: 'people' | 'things'): Promise<void> {
  const { address } = controllerOf(lab);
  const { password, adminToken } = readSecrets(lab.place);
  if (what === 'things') return uploadGuest(lab, await login(address, password));
  const secrets = { adminToken, adminPassword: password, demoPassword: password, servicePassword: password };
  await populate({
    adminUrl: `http://${address}:35357/v2.0`,
    hostIp: address,
    ports: PORTS,
    parts: PARTS,
    without: NOWHERE,
    secrets,
    timeoutMs: ASK_MS,
  });
}

/** A token of the administrator. */
export async function login(address: string, password: string): Promise<string> {
  const auth = { tenantName: 'admin', passwordCredentials: { username: 'admin', password } };
  const answer = (await requestJson(`http://${address}:5000/v2.0/tokens`, {
    method: 'POST',
    body: { auth },
    timeoutMs: ASK_MS,
  })) as { access: { token: { id: string } } };
  return answer.access.token.id;
}

async function uploadGuest(lab: Lab, token: string): Promise<void> {
  const file = lab.plan.driver === 'libvirt' ? await guestDisk(lab) : undefined;
  const size = file === undefined ? PLACEHOLDER.length : (await stat(file)).size;
  const { status, text } = await request(`http://${controllerOf(lab).address}:9292/v1/images`, {
    method: 'POST',
    headers: {
      'x-auth-token': token,
      'content-type': 'application/octet-stream',
      'content-length': String(size),
      'x-image-meta-name': 'guest',
      'x-image-meta-is_public': 'True',
      'x-image-meta-disk_format': file === undefined ? 'raw' : 'qcow2',
      'x-image-meta-container_format': 'bare',
      'x-image-meta-size': String(size),
    },
    body: file === undefined ? PLACEHOLDER : createReadStream(file),
    timeoutMs: ASK_MS,
  });
  if (status !== 201) throw new Error(`the guest's image is refused: ${status} ${text.slice(0, 200)}`);
}

/** The tiny guest of `folsom up`, built in the lab's directory. */
async function guestDisk(lab: Lab): Promise<string> {
  const { buildGuestImage } = await import('../guest-image/build.ts');
  const { silentLogger } = await import('@folsom/core');
  const directory = lab.place.host(controllerOf(lab).name).dir;
  return (await buildGuestImage({ directory: `${directory}/guest-image`, log: silentLogger })).disk;
}
