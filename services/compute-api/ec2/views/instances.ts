import { LRUCache } from 'lru-cache';
import {
  type AttachedDevice,
  createdAt,
  type ReservedInstance,
  sameReserved,
} from '../../domain/reservations.ts';
import type { Call } from '../http/action.ts';
import { ec2Time, type View, type ViewElements, type Written, written } from '../http/answer.ts';
import { idsOf } from '../ids.ts';
import { DEFAULT_ROOT_DEVICE } from './images.ts';

/** EC2's states and their codes; what it has no state for is shown as the nearest. */
const STATES: Readonly<Record<string, readonly [name: string, code: number]>> = {
  active: ['running', 16],
  building: ['pending', 0],
  deleted: ['terminated', 48],
  'soft-delete': ['terminated', 48],
  stopped: ['stopped', 80],
  paused: ['pause', 80],
  suspended: ['suspend', 80],
  rescued: ['rescue', 16],
  resized: ['resize', 16],
};

export function stateView(vmState: string | null): View {
  const [name, code] = STATES[vmState ?? 'building'] ?? [vmState ?? '', 0];
  return { code, name };
}

export const groupSetView = (names: readonly string[]): View => names.map(groupId => ({ groupId }));

type Ids = {
  instance: Awaited<ReturnType<typeof idsOf>>;
  image: Awaited<ReturnType<typeof idsOf>>;
  volume: Awaited<ReturnType<typeof idsOf>>;
};

async function idsFor(call: Call, instances: readonly ReservedInstance[]): Promise<Ids> {
  return {
    instance: await idsOf(
      call,
      'instance',
      instances.map(one => one.uuid),
    ),
    image: await idsOf(
      call,
      'image',
      instances.flatMap(one => [one.image_ref, one.kernel_id, one.ramdisk_id]),
    ),
    volume: await idsOf(
      call,
      'volume',
      instances.flatMap(one => one.devices.map(device => device.volume_id)),
    ),
  };
}

/** Instances by the boots that made them, in the order in which they came. */
export async function reservationsView(
  call: Call,
  instances: readonly ReservedInstance[],
): Promise<ViewElements[]> {
  const ids = await idsFor(call, instances);
  const reservations = new Map<string, { head: ViewElements; instancesSet: View[] }>();
  for (const instance of instances) {
    const id = instance.reservation_id ?? '';
    let reservation = reservations.get(id);
    if (!reservation) {
      const head = {
        ownerId: instance.project_id,
        groupSet: groupSetView(instance.groups),
        reservationId: id,
      };
      reservation = { head, instancesSet: [] };
      reservations.set(id, reservation);
    }
    reservation.instancesSet.push(instanceText(call, instance, ids));
  }
  return [...reservations.values()].map(({ head, instancesSet }) => ({ ...head, instancesSet }));
}

/** Texts kept, about 2 KB each. */
const TEXTS_MAX = 5_000;
/** By cloud. Administrators see more. */
const kept = new WeakMap<Call['domain'], LRUCache<string, { instance: ReservedInstance; text: Written }>>();

/** Writing is most of the work of a long listing: the text of an instance is used again while it shows the same. */
function instanceText(call: Call, instance: ReservedInstance, ids: Ids): Written {
  const texts = kept.get(call.domain) ?? new LRUCache({ max: TEXTS_MAX });
  kept.set(call.domain, texts);
  const key = `${call.context.isAdmin} ${instance.uuid}`;
  const known = texts.get(key);
  if (known && sameReserved(known.instance, instance)) return known.text;
  const text = written(instanceView(call, instance, ids));
  texts.set(key, { instance, text });
  return text;
}

const orNone = (text: string | null): string => text ?? 'None';

function instanceView({ context, config }: Call, one: ReservedInstance, ids: Ids): ViewElements {
  const fixed = one.addresses.fixedIps[0] ?? null;
  const floating = one.addresses.floatingIps[0] ?? null;
  const privateName = config.ec2_private_dns_show_ip ? fixed : one.hostname;
  const kernelId = ids.image('aki', one.kernel_id);
  const ramdiskId = ids.image('ari', one.ramdisk_id);
  return {
    placement: { availabilityZone: one.zone ?? 'unknown zone' },
    keyName: context.isAdmin
      ? `${orNone(one.key_name)} (${orNone(one.project_id)}, ${orNone(one.host)})`
      : one.key_name,
    instanceId: ids.instance('i', one.uuid),
    instanceState: stateView(one.vm_state),
    publicDnsName: floating,
    imageId: ids.image('ami', one.image_ref),
    ...(kernelId === null ? {} : { kernelId }),
    ...(ramdiskId === null ? {} : { ramdiskId }),
    productCodesSet: [],
    privateDnsName: privateName,
    dnsName: floating ?? privateName,
    ...(one.addresses.fixedIp6s.length > 0 ? { dnsNameV6: one.addresses.fixedIp6s[0] } : {}),
    launchTime: ec2Time(createdAt(one)),
    amiLaunchIndex: one.launch_index ?? 0,
    rootDeviceName: one.root_device_name ?? DEFAULT_ROOT_DEVICE,
    ...devicesView(one, ids.volume),
    ipAddress: floating ?? fixed,
    instanceType: one.flavor,
    privateIpAddress: fixed,
  };
}

/** Whether its root disk is a volume. */
export const standsOnVolume = (one: Pick<ReservedInstance, 'devices' | 'root_device_name'>): boolean =>
  one.devices.some(device => device.device_name === (one.root_device_name ?? DEFAULT_ROOT_DEVICE));

/** The volumes of an instance, and whether it stands on one. */
function devicesView(
  one: Pick<ReservedInstance, 'devices' | 'root_device_name'>,
  volume: Ids['volume'],
): ViewElements {
  return {
    ...(one.devices.length === 0
      ? {}
      : { blockDeviceMapping: one.devices.map(device => deviceView(device, volume)) }),
    rootDeviceType: standsOnVolume(one) ? 'ebs' : 'instance-store',
  };
}

const deviceView = (device: AttachedDevice, volume: Ids['volume']): View => ({
  deviceName: device.device_name,
  ebs: {
    volumeId: volume('vol', device.volume_id),
    deleteOnTermination: device.delete_on_termination,
    attachTime: ec2Time(device.attach_time),
    status: device.status,
  },
});

/** The same of one instance alone. */
export async function ownDevicesView(call: Call, one: ReservedInstance): Promise<ViewElements> {
  return devicesView(one, (await idsFor(call, [one])).volume);
}
