import type { RequestContext } from '@folsom/core';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import * as aggregates from './aggregates.ts';
import * as attachments from './attachments.ts';
import { auditReport } from './audit.ts';
import { boot } from './boot.ts';
import { makeCertificate, rootCertificate } from './certificates.ts';
import { getTextConsole, textConsoles } from './consoles.ts';
import { deleteNow, deleteOrSoftDelete, forceDelete, restore } from './deletion.ts';
import type { Deps } from './deps.ts';
import { numbersOf, uuidOf, uuidsOf } from './ec2-ids.ts';
import * as flavors from './flavors.ts';
import * as dns from './floating-ip-dns.ts';
import * as floatingIps from './floating-ips.ts';
import { consoleOutput, diagnostics, vncConsole } from './guest-output.ts';
import * as hosts from './hosts.ts';
import * as hypervisors from './hypervisors.ts';
import { registerImage } from './image-registration.ts';
import * as images from './images.ts';
import { authorizeIngress, revokeIngress } from './ingress.ts';
import { detailSources } from './instance-details.ts';
import { getInstance } from './instances.ts';
import { getKeyPair, importKeyPair, keyPairsOf, makeKeyPair, removeKeyPair } from './keypairs.ts';
import {
  act,
  addFixedIp,
  liveMigrate,
  reboot,
  removeFixedIp,
  rescue,
  resetState,
  setAdminPassword,
  setLocked,
} from './lifecycle.ts';
import { listInstances } from './listing.ts';
import { deleteMetadata, metadataFrom, updateMetadata } from './metadata.ts';
import * as networks from './networks.ts';
import { allowed, authorize, isAdministrator } from './policy.ts';
import * as quotas from './quotas.ts';
import { reservationsSignature } from './reservation-signature.ts';
import { reservedInstances } from './reservations.ts';
import { confirmResize, resize, revertResize } from './resize.ts';
import { addToInstance, removeFromInstance } from './security-group-members.ts';
import { addRule, removeRule } from './security-group-rules.ts';
import {
  createGroup,
  deleteGroup,
  getGroup,
  groupsOfServer,
  namedGroups,
  pageOfGroups,
} from './security-groups.ts';
import { changeServer, rebuildServer, serverAddresses, serverInterfaces, showServer } from './servers.ts';
import { snapshot } from './snapshots.ts';
import { usageOfTenant, usageOfTenants } from './usage.ts';
import { createVolume } from './volume-creation.ts';
import { uploadVolume } from './volume-images.ts';
import * as volumeSnapshots from './volume-snapshots.ts';
import * as volumeTypes from './volume-types.ts';
import * as volumes from './volumes.ts';
import { createCloudpipe, listCloudpipes } from './vpn/cloudpipes.ts';

type Run = (deps: Deps, ...args: never[]) => unknown;

/** A function without the dependencies, which it is given. */
type Bound<F> = F extends (deps: Deps, ...args: infer Args) => infer Result
  ? (...args: Args) => Result
  : never;

/** For callers who name the server: looked up once, within their tenant. @throws Fault `InstanceNotFound` */
const byId =
  <Args extends unknown[], Result>(
    run: (
      deps: Deps,
      context: RequestContext,
      instance: InstanceRecord,
      ...args: Args
    ) => Result | Promise<Result>,
  ) =>
  async (deps: Deps, context: RequestContext, id: string, ...args: Args): Promise<Result> =>
    run(deps, context, await getInstance(deps, context, id), ...args);

const serverFunctions = {
  get: getInstance,
  show: showServer,
  list: listInstances,
  reserved: reservedInstances,
  reservedSignature: reservationsSignature,
  /** What detailed views of a page are made from. */
  sources: detailSources,
  boot,
  change: byId(changeServer),
  rebuild: byId(rebuildServer),
  delete: byId(deleteOrSoftDelete),
  deleteNow: byId(deleteNow),
  forceDelete: byId(forceDelete),
  restore: byId(restore),
  act: byId(act),
  reboot: byId(reboot),
  rescue: byId(rescue),
  setPassword: byId(setAdminPassword),
  setLocked: byId(setLocked),
  resetState: byId(resetState),
  resize: byId(resize),
  /** To another host, with the flavor it has. */
  migrate: byId((deps: Deps, context: RequestContext, instance: InstanceRecord) =>
    resize(deps, context, instance, undefined),
  ),
  liveMigrate,
  confirmResize: byId(confirmResize),
  revertResize: byId(revertResize),
  snapshot: byId(snapshot),
  metadata: byId(async (_deps: Deps, _context: RequestContext, instance: InstanceRecord) =>
    metadataFrom(instance),
  ),
  updateMetadata: byId(updateMetadata),
  deleteMetadata: byId(deleteMetadata),
  addresses: serverAddresses,
  interfaces: serverInterfaces,
  addFixedIp: byId(addFixedIp),
  removeFixedIp: byId(removeFixedIp),
  groups: groupsOfServer,
  addGroup: byId(addToInstance),
  removeGroup: byId(removeFromInstance),
  consoleOutput: byId(consoleOutput),
  vncConsole: byId(vncConsole),
  diagnostics: byId(diagnostics),
  textConsoles,
  textConsole: getTextConsole,
};

/** By what they are about. */
const functions = {
  policy: { allowed, authorize, isAdministrator },
  servers: serverFunctions,
  flavors: {
    list: flavors.pageOfFlavors,
    get: flavors.getFlavor,
    create: flavors.addFlavor,
    delete: flavors.removeFlavor,
    access: flavors.flavorAccess,
    give: flavors.giveFlavor,
    take: flavors.takeFlavor,
    specs: flavors.flavorSpecs,
    setSpecs: flavors.setFlavorSpecs,
    deleteSpec: flavors.deleteFlavorSpec,
  },
  images: {
    list: images.listImages,
    get: images.getImage,
    change: images.changeImage,
    register: registerImage,
    delete: images.deleteImage,
    addMetadata: images.addImageMetadata,
    replaceMetadata: images.replaceImageMetadata,
    deleteMetadata: images.deleteImageMetadata,
  },
  keyPairs: {
    list: keyPairsOf,
    get: getKeyPair,
    import: importKeyPair,
    make: makeKeyPair,
    delete: removeKeyPair,
  },
  groups: {
    list: pageOfGroups,
    named: namedGroups,
    get: getGroup,
    create: createGroup,
    delete: deleteGroup,
    addRule,
    removeRule,
    authorizeIngress,
    revokeIngress,
  },
  floatingIps: {
    pools: floatingIps.floatingIpPools,
    list: floatingIps.listFloatingIps,
    get: floatingIps.getFloatingIp,
    getByAddress: floatingIps.getFloatingIpByAddress,
    allocate: floatingIps.allocateFloatingIp,
    release: floatingIps.releaseFloatingIp,
    associate: floatingIps.addFloatingIp,
    disassociate: floatingIps.removeFloatingIp,
    disassociateAddress: floatingIps.disassociateAddress,
  },
  dns: {
    domains: dns.listDnsDomains,
    setDomain: dns.setDnsDomain,
    deleteDomain: dns.deleteDnsDomain,
    address: dns.dnsAddress,
    names: dns.dnsNames,
    set: dns.setDnsEntry,
    delete: dns.deleteDnsEntry,
  },
  cloudpipes: { list: listCloudpipes, create: createCloudpipe },
  networks: {
    list: networks.listNetworks,
    get: networks.getNetwork,
    create: networks.createNetwork,
    delete: networks.deleteNetwork,
    associate: networks.associateNetwork,
    disassociate: networks.disassociateNetwork,
  },
  quotas: {
    own: quotas.ownLimits,
    used: quotas.ownUsages,
    defaults: quotas.defaultQuotas,
    ofTenant: quotas.tenantLimits,
    setOfTenant: quotas.setTenantLimits,
    ofClass: quotas.quotaClass,
    setOfClass: quotas.setQuotaClass,
  },
  attachments: {
    list: byId(attachments.attachmentsOf),
    get: byId(attachments.getAttachment),
    attach: byId(attachments.attachVolume),
    /** By the volume alone. */
    detach: attachments.detachVolume,
    detachFrom: byId(attachments.detachFrom),
  },
  volumes: {
    list: volumes.pageOfVolumes,
    get: volumes.getVolume,
    create: createVolume,
    delete: volumes.deleteVolume,
    setStatus: volumes.setVolumeStatus,
    upload: uploadVolume,
  },
  snapshots: {
    list: volumeSnapshots.pageOfSnapshots,
    get: volumeSnapshots.visibleSnapshot,
    create: volumeSnapshots.createVolumeSnapshot,
    delete: volumeSnapshots.deleteVolumeSnapshot,
    setStatus: volumeSnapshots.setSnapshotStatus,
  },
  volumeTypes: {
    list: volumeTypes.allVolumeTypes,
    get: volumeTypes.getVolumeType,
    create: volumeTypes.addVolumeType,
    delete: volumeTypes.removeVolumeType,
    setSpecs: volumeTypes.setVolumeTypeExtraSpecs,
    deleteSpec: volumeTypes.deleteVolumeTypeExtraSpec,
  },
  aggregates: {
    list: aggregates.allAggregates,
    get: aggregates.getAggregate,
    create: aggregates.addAggregate,
    change: aggregates.changeAggregate,
    delete: aggregates.removeAggregate,
    addHost: aggregates.addHostToAggregate,
    removeHost: aggregates.removeHostFromAggregate,
    setMetadata: aggregates.setAggregateMetadata,
  },
  hosts: {
    services: hosts.enabledServices,
    zones: hosts.availabilityZones,
    use: hosts.useOfHost,
    set: hosts.setHost,
    power: hosts.hostPower,
    mustBeKnown: hosts.mustBeKnown,
  },
  hypervisors: {
    list: hypervisors.allHypervisors,
    get: hypervisors.getHypervisor,
    search: hypervisors.searchHypervisors,
    statistics: hypervisors.hypervisorStatistics,
    uptime: hypervisors.hypervisorUptime,
    servers: hypervisors.serversOfHypervisors,
  },
  usage: { ofTenants: usageOfTenants, ofTenant: usageOfTenant, audit: auditReport },
  ec2Ids: { numbers: numbersOf, uuid: uuidOf, uuids: uuidsOf },
  certificates: { root: rootCertificate, make: makeCertificate },
};

type Functions = typeof functions;

/** What every front end above it is given: functions of a caller and plain values. Nothing of it knows HTTP. */
export type Domain = {
  readonly [About in keyof Functions]: {
    readonly [Name in keyof Functions[About]]: Bound<Functions[About][Name]>;
  };
};

/** The domain of one service. */
export function domainOf(deps: Deps): Domain {
  const bound =
    (run: Run) =>
    (...args: never[]) =>
      run(deps, ...args);
  const all = (group: Readonly<Record<string, Run>>) =>
    Object.fromEntries(Object.entries(group).map(([name, run]) => [name, bound(run)]));
  return Object.fromEntries(
    Object.entries(functions).map(([about, group]) => [about, all(group as Readonly<Record<string, Run>>)]),
  ) as Domain;
}
