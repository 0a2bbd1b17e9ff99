import type { InstanceRecord } from '@folsom/nova/instance-records';
import { action, type Call } from '../http/action.ts';
import type { ViewElements } from '../http/answer.ts';
import { apiError } from '../http/faults.ts';
import { id, required, text } from '../http/shapes.ts';
import { idsOf, instanceNamed } from '../ids.ts';
import { DEFAULT_ROOT_DEVICE } from '../views/images.ts';
import { groupSetView, ownDevicesView } from '../views/instances.ts';

const dependent =
  (name: 'kernel' | 'ramdisk', prefix: 'aki' | 'ari') =>
  async (call: Call, instance: InstanceRecord): Promise<ViewElements> => {
    const uuid = instance[`${name}_id`];
    const shown = (await idsOf(call, 'image', [uuid]))(prefix, uuid);
    return shown === null ? {} : { [name]: shown };
  };

/** What can be asked about an instance. */
const ATTRIBUTES: Record<string, (call: Call, instance: InstanceRecord) => Promise<ViewElements>> = {
  blockDeviceMapping: async (call, { uuid }) => {
    const [one] = await call.domain.servers.reserved(call.context, { uuids: [uuid] });
    return one ? ownDevicesView(call, one) : {};
  },
  disableApiTermination: async (_call, one) => ({ disableApiTermination: one.disable_terminate ?? false }),
  groupSet: async (_call, one) => ({ groupSet: groupSetView(one.security_groups.map(group => group.name)) }),
  instanceInitiatedShutdownBehavior: async (_call, one) => ({
    instanceInitiatedShutdownBehavior: one.shutdown_terminate ? 'terminate' : 'stop',
  }),
  instanceType: async (_call, one) => ({ instanceType: one.flavor.name }),
  kernel: dependent('kernel', 'aki'),
  ramdisk: dependent('ramdisk', 'ari'),
  rootDeviceName: async (_call, one) => ({ rootDeviceName: one.root_device_name ?? DEFAULT_ROOT_DEVICE }),
  userData: async (_call, one) => ({
    userData: one.user_data === null ? null : Buffer.from(one.user_data, 'base64').toString('utf8'),
  }),
};

const describeInstanceAttribute = action({
  name: 'DescribeInstanceAttribute',
  about: 'One attribute of an instance.',
  parameters: { InstanceId: required(id()), Attribute: required(text()) },
  run: async (call, { InstanceId, Attribute }) => {
    const show = Object.hasOwn(ATTRIBUTES, Attribute) ? ATTRIBUTES[Attribute] : undefined;
    if (!show) throw apiError(`attribute not supported: ${Attribute}`);
    const instance = await instanceNamed(call, InstanceId);
    return { instanceId: InstanceId, ...(await show(call, instance)) };
  },
});

export const instanceAttributeActions = [describeInstanceAttribute];
