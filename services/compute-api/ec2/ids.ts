import { isFault } from '@folsom/core';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import type { VolumeSnapshotRow } from '@folsom/nova/volume-snapshots';
import type { Volume } from '@folsom/nova/volumes';
import { type Ec2Kind, type Ec2Prefix, ec2Id } from '../domain/ec2-ids.ts';
import type { Call } from './http/action.ts';
import { ec2Fault } from './http/faults.ts';

/** The number behind an id: what follows its last dash, whatever stands before. Undefined when it is none. */
export function numberIn(id: string): number | undefined {
  const digits = id.slice(id.lastIndexOf('-') + 1).trim();
  return /^(0x)?[0-9a-f]{1,16}$/i.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

/** @throws Fault `InvalidInstanceIDMalformed`: the word of Folsom for every kind of id */
export function numberOf(id: string): number {
  const number = numberIn(id);
  if (number === undefined) throw ec2Fault('InvalidInstanceIDMalformed', { val: id });
  return number;
}

/** @throws Fault as Folsom answers ids in lists that it reads without looking at them */
export function numberInList(id: string): number {
  const number = numberIn(id);
  if (number === undefined) throw ec2Fault('UnknownError');
  return number;
}

/** Ids by uuid, for a view. */
export async function idsOf(
  { domain, context }: Pick<Call, 'domain' | 'context'>,
  kind: Ec2Kind,
  uuids: readonly (string | null | undefined)[],
): Promise<(prefix: Ec2Prefix, uuid: string | null | undefined) => string | null> {
  const wanted = uuids.filter(uuid => uuid !== null && uuid !== undefined && uuid !== '');
  const numbers = await domain.ec2Ids.numbers(context, kind, wanted as string[]);
  return (prefix, uuid) => {
    const number = uuid ? numbers.get(uuid) : undefined;
    return number === undefined ? null : ec2Id(prefix, number);
  };
}

const noInstance = (number: number) => ec2Fault('InstanceNotFound', { instance_id: ec2Id('i', number) });

/** The uuid of an instance that is there for somebody. @throws Fault `InstanceNotFound`, `InvalidInstanceIDMalformed` */
async function instanceUuid({ domain, context }: Call, id: string): Promise<string> {
  const number = numberOf(id);
  const uuid = await domain.ec2Ids.uuid(context, 'instance', number);
  if (uuid === undefined) throw noInstance(number);
  return uuid;
}

/** An instance that the caller can see. @throws Fault `InstanceNotFound`, `InvalidInstanceIDMalformed` */
export async function instanceNamed(call: Call, id: string): Promise<InstanceRecord> {
  const uuid = await instanceUuid(call, id);
  return call.domain.servers.get(call.context, uuid).catch(error => {
    throw isFault(error, 'InstanceNotFound') ? noInstance(numberOf(id)) : error;
  });
}

/** All of them or none, before anything is done to one. */
export async function instancesNamed(call: Call, ids: readonly string[]): Promise<InstanceRecord[]> {
  const instances: InstanceRecord[] = [];
  for (const id of ids) instances.push(await instanceNamed(call, id));
  return instances;
}

/** A volume that the caller can see. @throws Fault `VolumeNotFound`, `InvalidInstanceIDMalformed` */
export async function volumeNamed({ domain, context }: Call, id: string): Promise<Volume> {
  const number = numberOf(id);
  const missing = () => ec2Fault('VolumeNotFound', { volume_id: ec2Id('vol', number) });
  const uuid = await domain.ec2Ids.uuid(context, 'volume', number);
  if (uuid === undefined) throw missing();
  return domain.volumes.get(context, uuid).catch(error => {
    throw isFault(error, 'VolumeNotFound') ? missing() : error;
  });
}

/** A snapshot of a volume that the caller can see. @throws Fault `SnapshotNotFound`, `InvalidInstanceIDMalformed` */
export async function volumeSnapshotNamed({ domain, context }: Call, id: string): Promise<VolumeSnapshotRow> {
  const number = numberOf(id);
  const missing = () => ec2Fault('SnapshotNotFound', { snapshot_id: ec2Id('snap', number) });
  const uuid = await domain.ec2Ids.uuid(context, 'snapshot', number);
  if (uuid === undefined) throw missing();
  return domain.snapshots.get(context, uuid).catch(error => {
    throw isFault(error, 'SnapshotNotFound') ? missing() : error;
  });
}
