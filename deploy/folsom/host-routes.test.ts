import { parseCidr } from '@folsom/nova/ipv4';
import { describe, expect, it } from 'vitest';
import { clashing, parseFixedRange, readRoutes } from './host-routes.ts';

const TABLE = [
  'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
  'eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
  'eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
  'br100\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
  '',
].join('\n');

describe('the network of the guests and the routes of the host', () => {
  it('reads the routes besides the default one', () => {
    expect(readRoutes(TABLE)).toEqual([
      { device: 'eth0', network: parseCidr('192.168.1.0/24') },
      { device: 'br100', network: parseCidr('10.0.0.0/24') },
    ]);
    expect(readRoutes('')).toEqual([]);
  });

  it('finds the clash in both directions, and lets the own bridge pass', () => {
    const clash = (range: string) => clashing(parseCidr(range), readRoutes(TABLE), 'br100')?.device;
    expect(clash('10.0.0.0/24')).toBeUndefined();
    expect(clash('192.168.0.0/16')).toBe('eth0');
    expect(clash('192.168.1.128/25')).toBe('eth0');
    expect(clash('192.168.2.0/24')).toBeUndefined();
  });

  it('refuses what is no network in one sentence', () => {
    for (const wrong of ['', '10.0.0.0', '10.0.0.0/99', 'fe80::/64', '0.0.0.0/0', '10.0.0.0/31'])
      expect(() => parseFixedRange(wrong), wrong).toThrow(/^--fixed-range /);
  });
});
