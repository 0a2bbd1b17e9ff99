import { startCert } from '@folsom/cert';
import { chooseDriver, imageClient, startCompute } from '@folsom/compute-agent';
import { novaPolicy, startComputeApi, startEc2Api, startVolumeApi } from '@folsom/compute-api';
import { startConsole, startConsoleAuth, startNovncProxy, startXvpVncProxy } from '@folsom/console';
import { adminContext, type RunningService } from '@folsom/core';
import { ensureLibvirtd, keepLibvirtd } from '@folsom/host/libvirtd';
import type { RunningIdentity } from '@folsom/identity';
import { startMetadata } from '@folsom/metadata';
import { startNetwork } from '@folsom/network';
import { createFloatingIps, hadFloatingIps } from '@folsom/nova/floating-ip-blocks';
import { allNetworks } from '@folsom/nova/networks';
import { novaOptions } from '@folsom/nova/options';
import { novaOutbox } from '@folsom/nova/outbox';
import { networkContract } from '@folsom/nova/rpc/network';
import { startObjectstore } from '@folsom/objectstore';
import { startScheduler } from '@folsom/scheduler';
import { chooseVolumeDriver, startVolume } from '@folsom/volume';
import { configuredPolicy } from '../policy-file.ts';
import { addressesOf, NO_FLOATING_RANGE } from './floating-range.ts';
import { BRIDGE } from './layout.ts';
import type { PartOptions } from './part.ts';
import { CannotStart } from './preflight.ts';

/** Starts the nova daemons; front ends last. Every started service is handed to `started` at once, for a clean undo. */
export async function startComputePart(
  options: PartOptions,
  { validator, ec2Login, s3Login }: Pick<RunningIdentity, 'validator' | 'ec2Login' | 's3Login'>,
  started: (service: RunningService) => void,
): Promise<void> {
  const { databases, world, hostIp, ports, tell } = options;
  const config = options.configs.nova;
  const db = databases.nova;
  // The bus is in this process and ends with it: its casts are rows until they are worked off.
  const outbox = novaOutbox({ db, bus: options.bus, world, owner: 'folsom', alone: true });
  const { bus } = outbox;
  const common = { config, db, bus, world };
  started({ name: 'outbox', addresses: [], stop: () => outbox.stop() });
  await outbox.start();

  const network = await tell('starting network', () => startNetwork(common));
  started(network);
  await ensureNetwork(options);
  await ensureFloatingPool(options);
  // Not ready without it: every boot would fail, and the log alone would say why.
  await tell('setting up the network of the guests', () => network.setUpNetworks()).catch(error => {
    world.log.error('the network of the guests cannot be set up', { error });
    throw new CannotStart(`the network of the guests cannot be set up: ${(error as Error).message}`);
  });
  started(await startScheduler({ ...common, outbox }));
  started(await startConsoleAuth(common));
  started(await startConsole(common));
  started(await startCert(common));
  started(await startObjectstore({ config, world, login: s3Login }));
  const images = imageClient({ servers: [`${hostIp}:${ports.image}`] });
  if (
    options.compute.driver === 'libvirt' &&
    !(await tell('starting libvirt', () => ensureLibvirtd(world)))
  ) {
    throw new CannotStart('libvirt does not answer; see its log, or start with --compute-driver fake');
  }
  if (options.compute.driver === 'libvirt') started(keepLibvirtd(world));
  const driver = chooseDriver({ ...common, images });
  started(await tell('starting compute', () => startCompute({ ...common, outbox, driver, images })));
  const volumes = chooseVolumeDriver({ settings: config.of(novaOptions), db, world });
  started(
    await tell('starting volume', () => startVolume({ ...common, driver: volumes, images })).catch(error => {
      world.log.error('volumes cannot be served', { error });
      throw new CannotStart(`volumes cannot be served: ${(error as Error).message}`);
    }),
  );
  const api = {
    config,
    database: db,
    bus,
    outbox,
    validator,
    policy: configuredPolicy(config, config.of(novaOptions), world) ?? novaPolicy(),
    world,
    authUri: `http://${hostIp}:${ports.identityPublic}`,
  };
  started(await startEc2Api({ ...api, login: ec2Login }));
  started(await startComputeApi(api));
  started(await startVolumeApi(api));
  started(await startMetadata(common));
  started(await startNovncProxy({ config, bus, world }));
  started(await startXvpVncProxy({ config, bus, world }));
}

/** The network of the guests, made at the first start. */
async function ensureNetwork({ databases, bus, fixedRange }: PartOptions): Promise<void> {
  const present = await allNetworks(databases.nova);
  if (present.length > 0) return;
  await networkContract.client(bus).create_networks(adminContext(), {
    label: 'private',
    cidr: fixedRange,
    num_networks: 1,
    bridge: BRIDGE,
    multi_host: false,
  });
}

/** The pool of floating addresses, made once; later it is the operator's (`nova-manage floating`). */
async function ensureFloatingPool({ databases, configs, floatingRange, world }: PartOptions): Promise<void> {
  if (floatingRange === NO_FLOATING_RANGE || (await hadFloatingIps(databases.nova))) return;
  const { default_floating_pool: pool, public_interface } = configs.nova.of(novaOptions);
  const addresses = addressesOf(floatingRange);
  await createFloatingIps(
    databases.nova,
    { addresses, pool, interface: public_interface },
    world.clock.now(),
  );
}
