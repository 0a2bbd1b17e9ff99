import { describe, expect, it } from 'vitest';
import { deviceLetters, nameOfNewDevice, parseDevice } from './device-names.ts';

const own = (root: string | null, more: { ephemeral?: string; swap?: string } = {}) => ({
  root_device_name: root,
  default_ephemeral_device: more.ephemeral ?? null,
  default_swap_device: more.swap ?? null,
});

describe('names of devices', () => {
  it('are what the original takes for one', () => {
    expect(parseDevice('/dev/vdb')).toEqual({ prefix: '/dev/vd', letters: 'b' });
    expect(parseDevice('/dev/xvdaa3')).toEqual({ prefix: '/dev/xvd', letters: 'aa' });
    for (const bad of [
      'vdb',
      '/dev/',
      'b',
      '/dev/vdb/../sda',
      '/dev/1',
      '/dev/vd B',
      `/dev/vd${'b'.repeat(300)}`,
    ])
      expect([bad, parseDevice(bad)]).toEqual([bad, undefined]);
    expect(['vdb', '/dev/sda1', '/dev/xvdc', 'ephemeral0'].map(deviceLetters)).toEqual([
      'b',
      'a',
      'c',
      undefined,
    ]);
  });

  it('have the prefix that the instance has, whatever was asked for', () => {
    expect(nameOfNewDevice(own(null), [], '/dev/vdd')).toBe('/dev/sdd');
    expect(nameOfNewDevice(own('/dev/vda'), [], '/dev/sdd')).toBe('/dev/vdd');
    expect(nameOfNewDevice(own('vda'), [], null)).toBe('/dev/vdb');
  });

  it('are the first free ones where none was asked for', () => {
    expect(nameOfNewDevice(own(null), ['/dev/sdb'], null)).toBe('/dev/sdc');
    const full = own('/dev/vda', { ephemeral: '/dev/vdb', swap: '/dev/vdc' });
    expect(nameOfNewDevice(full, ['vdd'], null)).toBe('/dev/vde');
    const many = [...'bcdefghijklmnopqrstuvwxyz'].map(letter => `/dev/vd${letter}`);
    expect(nameOfNewDevice(own('/dev/vda'), many, null)).toBe('/dev/vdaa');
  });

  it('are never given twice', () => {
    const again = () => nameOfNewDevice(own('/dev/vda'), ['/dev/vdb'], '/dev/vdb');
    expect(again).toThrow('The supplied device path (/dev/vdb) is in use.');
    expect(() => nameOfNewDevice(own('/dev/vda'), [], '/dev/sda1')).toThrow('in use');
    expect(() => nameOfNewDevice(own('/dev/vda'), [], 'vdb')).toThrow(
      'The supplied device path (vdb) is invalid.',
    );
  });
});
