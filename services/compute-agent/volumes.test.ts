import type { VolumeRow } from '@folsom/nova/volumes';
import { describe, expect, it } from 'vitest';
import { attachmentOf, isAttachedTo, isReservedFor, type VolumeDevice } from './volumes.ts';

const volume = (row: Partial<VolumeRow>) =>
  ({ status: 'attaching', attach_status: 'detached', instance_uuid: 'own', ...row }) as VolumeRow;

describe('whose a volume is', () => {
  it.each([
    ['kept for this server', {}, true, false],
    ["kept by an original's API, which does not say for whom", { instance_uuid: null }, true, false],
    ['kept for another', { instance_uuid: 'other' }, false, false],
    ['free', { status: 'available', instance_uuid: null }, false, false],
    ['had by this server', { status: 'in-use', attach_status: 'attached' }, false, true],
    ['had by it, and on its way out', { status: 'detaching', attach_status: 'attached' }, false, true],
    ['had by another', { status: 'in-use', attach_status: 'attached', instance_uuid: 'other' }, false, false],
    ['had by it although it says that it is kept', { attach_status: 'attached' }, false, true],
  ] as const)('%s', (_words, row, reserved, attached) => {
    expect(isReservedFor(volume(row), 'own')).toBe(reserved);
    expect(isAttachedTo(volume(row), 'own')).toBe(attached);
  });
});

describe('how a host reaches a volume', () => {
  const device = (connection_info: string | null) =>
    ({
      volume_id: 'v',
      device_name: '/dev/vdb',
      delete_on_termination: null,
      connection_info,
    }) as VolumeDevice;

  it('stands in its mapping once it was connected', () => {
    const info = { driver_volume_type: 'iscsi', data: { target_iqn: 'iqn' } };
    expect(attachmentOf(device(JSON.stringify(info)))).toEqual({
      volumeId: 'v',
      mountDevice: '/dev/vdb',
      connectionInfo: info,
      deleteOnTermination: false,
    });
  });

  it.each([null, '', 'null', '{', '[]', '7', '"data"', '{"driver_volume_type": "iscsi"}'])(
    'is unknown where %s stands',
    text => {
      expect(attachmentOf(device(text))).toBeUndefined();
    },
  );
});
