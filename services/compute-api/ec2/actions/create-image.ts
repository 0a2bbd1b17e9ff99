import { action, type Call } from '../http/action.ts';
import { apiError, ec2Fault } from '../http/faults.ts';
import { id, required, text, yesOrNo } from '../http/shapes.ts';
import { idsOf, instanceNamed } from '../ids.ts';
import { DEFAULT_ROOT_DEVICE } from '../views/images.ts';
import { standsOnVolume } from '../views/instances.ts';

/** Seconds in which an instance has to stop. */
const STOP_S_MAX = 300;

/** Stops an instance that runs. Answers whether it has to be started again. @throws Fault `EC2APIError` */
async function stopped(call: Call, ec2Id: string): Promise<boolean> {
  const { domain, context, world } = call;
  const { uuid, vm_state } = await instanceNamed(call, ec2Id);
  if (vm_state === 'stopped') return false;
  if (vm_state !== 'active') throw ec2Fault('InstanceNotRunning', { instance_id: ec2Id });
  await domain.servers.act(context, uuid, 'stop');
  for (let waited = 0; waited < STOP_S_MAX; waited++) {
    if ((await instanceNamed(call, ec2Id)).vm_state === 'stopped') return true;
    await world.clock.sleep(1_000);
  }
  throw apiError(`Couldn't stop instance with in ${STOP_S_MAX} sec`);
}

const createImage = action({
  name: 'CreateImage',
  about: 'An image of an instance that stands on a volume; unless `NoReboot` it is stopped for that.',
  parameters: { InstanceId: required(id()), Name: text(), Description: text(), NoReboot: yesOrNo() },
  run: async (call, { InstanceId, Name, NoReboot }) => {
    const { domain, context, world } = call;
    const { uuid } = await instanceNamed(call, InstanceId);
    const [one] = await domain.servers.reserved(context, { uuids: [uuid] });
    if (!one || !standsOnVolume(one)) {
      const root = one?.root_device_name ?? DEFAULT_ROOT_DEVICE;
      throw ec2Fault('InvalidParameterValue', {
        err: `Invalid value '${InstanceId}' for instanceId. Instance does not have a volume attached at root (${root})`,
      });
    }
    const restart = NoReboot ? false : await stopped(call, InstanceId);
    const now = new Date(world.clock.now()).toISOString().slice(0, 19);
    try {
      const image = await domain.servers.snapshot(context, uuid, {
        name: Name ?? `image of ${uuid} at ${now}Z`,
      });
      return { imageId: (await idsOf(call, 'image', [image.id]))('ami', image.id) };
    } finally {
      if (restart) await domain.servers.act(context, uuid, 'start');
    }
  },
});

export const createImageActions = [createImage];
