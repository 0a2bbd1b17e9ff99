import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '@folsom/core';
import { writeOpenrc } from '../folsom/openrc.ts';
import { configureHost, databaseSql, readSecrets } from './conf.ts';
import { makeDevices, makeRings } from './devices.ts';
import { removeLab } from './down.ts';
import { prepareLibvirt } from './libvirt.ts';
import { type LabPlan, type Place, writePlan } from './place.ts';
import { type LabOptions, planHosts, SERVERS, type ServerName, START_ORDER, STATE } from './plan.ts';
import { fillDatabases, fillServices } from './populate.ts';
import { type Lab, openLab, planned, spaceOf, start } from './processes.ts';
import { missingPackages, prepareServer, SERVER_STATE } from './servers.ts';
import { makeSpace, SWITCH } from './spaces.ts';
import { fileSystemMaker, mountHost, nameHost, wireHost, wireSwitch } from './wiring.ts';

export type Tell = (text: string) => void;

/** Where libvirt keeps what must outlive its daemon; on the host's disk. */
const PATHS = [STATE, SERVER_STATE, '/var/lib/libvirt'];

export interface UpOptions extends LabOptions {
  bare: boolean;
  /** Megabytes of each host's disk; undefined: as large as this machine's. */
  diskMb: number | undefined;
  without: string[];
}

/** Makes the hosts and their network. Runs on this machine; the rest goes on in the lab's own network. */
export async function makeHosts(place: Place, options: UpOptions, tell: Tell): Promise<LabPlan> {
  const missing = missingPackages();
  if (missing.length > 0) throw new Error(`install first: apt-get install ${missing.join(' ')}`);
  await removeLab(place);
  const { diskMb, ...rest } = options;
  const lab: LabPlan = { ...rest, plan: planHosts(options), whole: false };
  writePlan(place, lab);
  const center = await makeSpace(place.dir, SWITCH);
  const maker = await fileSystemMaker(center, place.dir);
  if (maker === undefined)
    lab.without.push('disks of their own: no file system can be mounted here, so hosts keep all in folders');
  await wireSwitch(center);
  for (const host of lab.plan) {
    const files = place.host(host.name);
    for (const folder of [files.log, files.conf]) mkdirSync(folder, { recursive: true });
    const space = await makeSpace(place.dir, host.name);
    await mountHost(
      space,
      { dir: files.dir, disk: files.disk },
      {
        paths: PATHS,
        makeFileSystem: maker,
        ...(diskMb === undefined ? {} : { bytes: diskMb * 1024 ** 2 }),
      },
    );
    await nameHost(space, lab.plan);
    await wireHost(center, space, host);
    if (host.services.includes('swift-object-server')) {
      const how = await makeDevices(space, maker?.[0] === 'mkfs.xfs' ? maker : undefined);
      if (how === 'folders') lab.without.push("XFS on loop devices: swift's devices are folders");
    }
    if (lab.driver === 'libvirt') await prepareLibvirt(space);
    tell(`host ${host.name} ${host.address}: ${host.services.join(' ') || 'servers only'}`);
  }
  writePlan(place, lab);
  return lab;
}

/** Starts everything on hosts that are there. Runs in the lab's network. */
export async function startAll(place: Place, plan: LabPlan, tell: Tell): Promise<void> {
  const lab = openLab(place, plan);
  for (const host of plan.plan) await configureHost(place, plan, host, spaceOf(lab, host.name));
  await startServers(lab, tell);
  if (!plan.bare) {
    await fillDatabases(lab);
    tell('databases are made');
    await makeRings(lab);
    for (const group of START_ORDER) {
      const now = planned(lab).filter(({ name }) => group.some(one => one === name));
      await Promise.all(now.map(({ host, name }) => start(lab, host, name)));
      // Everybody else asks it who is who.
      if (group.includes('keystone-all')) await fillServices(lab, 'people');
    }
    await fillServices(lab, 'things');
    tell(`${planned(lab).length} processes run`);
  }
  const controller = must(plan.plan[0], 'there is a controller');
  const credentials = {
    user: 'admin',
    password: readSecrets(place).password,
    tenant: 'admin',
    authUrl: `http://${controller.address}:5000/v2.0`,
    admin: true,
  };
  for (const file of [place.openrc, ...plan.plan.map(({ name }) => join(place.host(name).dir, 'openrc'))])
    await writeOpenrc(file, credentials);
  writePlan(place, { ...plan, whole: true });
}

async function startServers(lab: Lab, tell: Tell): Promise<void> {
  const { place, plan } = lab;
  const controller = must(plan.plan[0], 'there is a controller');
  const settings = {
    sql: databaseSql(place, controller),
    password: readSecrets(place).password,
    brokers: plan.plan.filter(({ servers }) => servers.includes('rabbitmq')),
  };
  const wanted = planned(lab).filter(({ name }) => SERVERS.some(server => server === name));
  const startOne = async (host: string, server: ServerName) => {
    await prepareServer(server, spaceOf(lab, host), settings);
    await start(lab, host, server);
  };
  await Promise.all(controller.servers.map(server => startOne(controller.name, server)));
  // Further brokers, which join the first.
  for (const { name, servers } of plan.plan.slice(1))
    for (const server of servers) await startOne(name, server);
  tell(`servers run: ${wanted.map(({ name, host }) => `${name} on ${host}`).join(', ')}`);
}
