import { must } from '@folsom/core';
import { decodeBase64 } from '../../domain/base64.ts';
import type { ReservedInstance } from '../../domain/reservations.ts';
import { blockDeviceMapping, devicesOf } from '../block-devices.ts';
import { action, type Call } from '../http/action.ts';
import { ec2Time } from '../http/answer.ts';
import { apiError, ec2Fault } from '../http/faults.ts';
import { id, listOf, recordOf, required, text, wholeNumber } from '../http/shapes.ts';
import { instanceNamed, instancesNamed, numberInList } from '../ids.ts';
import { imageNamed, imageState } from '../images.ts';
import { reservationsView, stateView } from '../views/instances.ts';
import { whileUnchanged } from '../views/kept-listing.ts';

const INSTANCES = { InstanceId: required(listOf()) };

async function described(call: Call, given: string[] | undefined): Promise<ReservedInstance[]> {
  const { domain, context } = call;
  if (given === undefined) return domain.servers.reserved(context);
  const uuids = await domain.ec2Ids.uuids(context, 'instance', given.map(numberInList));
  return domain.servers.reserved(context, { uuids: [...uuids.values()] });
}

const describe = (name: string) =>
  action({
    name,
    about: 'Instances by the boots that made them; those named that are not there are left out.',
    parameters: { InstanceId: listOf() },
    run: async (call, { InstanceId }) => {
      const view = async () => {
        const instances = await described(call, InstanceId);
        const { context, config } = call;
        // Those of a VPN are the operator's.
        const shown = instances.filter(one => context.isAdmin || one.image_ref !== config.vpn_image_id);
        return reservationsView(call, shown);
      };
      return { reservationSet: InstanceId === undefined ? await whileUnchanged(call, view) : await view() };
    },
  });

/** Base64 of the most that the column takes. */
const USER_DATA_CHARS_MAX = 100_000;

const runInstances = action({
  name: 'RunInstances',
  about: 'Boots instances of an image.',
  parameters: {
    ImageId: required(id()),
    MinCount: wholeNumber(),
    MaxCount: wholeNumber(),
    InstanceType: text(),
    KernelId: id(),
    RamdiskId: id(),
    KeyName: text(),
    UserData: text(USER_DATA_CHARS_MAX),
    SecurityGroup: listOf(),
    Placement: recordOf({ AvailabilityZone: text() }),
    BlockDeviceMapping: blockDeviceMapping,
  },
  run: async (call, given) => {
    const { domain, context, config } = call;
    const dependent = async (named: string | undefined) =>
      named === undefined ? undefined : (await imageNamed(call, named)).id;
    const kernelId = await dependent(given.KernelId);
    const ramdiskId = await dependent(given.RamdiskId);
    const blockDevices = await devicesOf(call, given.BlockDeviceMapping ?? []);
    const image = await imageNamed(call, given.ImageId);
    if (imageState(image) !== 'available') throw apiError('Image must be available');
    if (given.UserData !== undefined && decodeBase64(given.UserData) === undefined) {
      throw ec2Fault('InvalidParameter', { name: 'UserData' });
    }
    const minCount = countOf('MinCount', given.MinCount) ?? 1;
    const { reservationId } = await domain.servers.boot(context, {
      flavor: { name: given.InstanceType ?? config.default_instance_type },
      imageId: image.id,
      ...(kernelId === undefined ? {} : { kernelId }),
      ...(ramdiskId === undefined ? {} : { ramdiskId }),
      name: null,
      minCount,
      maxCount: countOf('MaxCount', given.MaxCount) ?? minCount,
      keyName: given.KeyName ?? null,
      metadata: {},
      injectedFiles: [],
      securityGroups: [...new Set(given.SecurityGroup ?? ['default'])],
      networks: null,
      availabilityZone: given.Placement?.AvailabilityZone ?? null,
      userData: given.UserData ?? null,
      configDrive: null,
      blockDevices,
      accessIpV4: null,
      accessIpV6: null,
      autoDiskConfig: null,
      schedulerHints: {},
    });
    const [reservation] = await reservationsView(
      call,
      await domain.servers.reserved(context, { reservationId }),
    );
    // Instances may fail and be deleted as soon as they are accepted.
    return reservation ?? { ownerId: context.projectId, groupSet: [], reservationId, instancesSet: [] };
  },
});

/** None and zero are as good as not given. */
function countOf(name: string, count: number | undefined): number | undefined {
  if (count !== undefined && count < 0) throw ec2Fault('InvalidParameter', { name });
  return count || undefined;
}

const terminateInstances = action({
  name: 'TerminateInstances',
  about: 'Deletes instances for good.',
  parameters: INSTANCES,
  run: async (call, { InstanceId }) => {
    const { domain, context } = call;
    const before = await instancesNamed(call, InstanceId);
    for (const { uuid } of new Map(before.map(one => [one.uuid, one])).values()) {
      await domain.servers.deleteNow(context, uuid);
    }
    const after = await domain.servers.reserved(context, { uuids: before.map(one => one.uuid) });
    const states = new Map(after.map(one => [one.uuid, one.vm_state]));
    return {
      instancesSet: before.map((one, at) => ({
        instanceId: InstanceId[at],
        currentState: stateView(states.get(one.uuid) ?? 'deleted'),
        previousState: stateView(one.vm_state),
      })),
    };
  },
});

const onEach = (name: string, about: string, run: (call: Call, uuid: string) => Promise<void>) =>
  action({
    name,
    about,
    parameters: INSTANCES,
    run: async (call, { InstanceId }) => {
      for (const { uuid } of await instancesNamed(call, InstanceId)) await run(call, uuid);
      return true;
    },
  });

const rebootInstances = onEach(
  'RebootInstances',
  'Reboots instances without asking the guests.',
  (call, uuid) => call.domain.servers.reboot(call.context, uuid, 'HARD'),
);
const stopInstances = onEach('StopInstances', 'Shuts instances down.', (call, uuid) =>
  call.domain.servers.act(call.context, uuid, 'stop'),
);
const startInstances = onEach('StartInstances', 'Starts instances that were shut down.', (call, uuid) =>
  call.domain.servers.act(call.context, uuid, 'start'),
);

const consoleOutput = action({
  name: 'GetConsoleOutput',
  about: 'What an instance has written to its console, in base64.',
  parameters: INSTANCES,
  run: async (call, { InstanceId }) => {
    const { uuid } = await instanceNamed(call, must(InstanceId[0], 'InstanceId is not empty'));
    const output = await call.domain.servers.consoleOutput(call.context, uuid, null);
    return {
      instanceId: InstanceId[0],
      timestamp: ec2Time(call.world.clock.now()),
      output: Buffer.from(output).toString('base64'),
    };
  },
});

export const instanceActions = [
  describe('DescribeInstances'),
  describe('DescribeInstancesV6'),
  runInstances,
  terminateInstances,
  rebootInstances,
  stopInstances,
  startInstances,
  consoleOutput,
];
