import { expect, it } from 'vitest';
import { driveErrors, drivesBelow, withoutMount } from './drive-audit.ts';

const at = (text: string): number => new Date(text).getTime();
const NOW = at('2013-01-01T00:30:00');

it('counts the errors of each drive since a time, from the last boot on', () => {
  const log = [
    'Dec 31 23:40:00 host kernel: [    9.1] end_request: I/O error, dev sda1, sector 1',
    'Dec 31 23:41:00 host kernel: [    0.000000] Linux version 3.2',
    'Dec 31 23:42:00 host kernel: [    3.0] end_request: I/O error, dev sdb1, sector 7',
    'Jan  1 00:10:00 host kernel: [ 1700.0] XFS (sdb1): xlog I/O error 5',
    'Jan  1 00:11:00 host kernel: [ 1701.0] sdc: hardware error reported',
    'Jan  1 00:12:00 host kernel: [ 1702.0] sdd: all is well',
    'Mar  3 00:12:00 host kernel: [ 1702.0] end_request: I/O error, dev sde1',
    'not a line of a log with an error on sdf1',
  ].join('\n');
  expect([...driveErrors(log, NOW - 60 * 60_000, NOW)]).toEqual([
    ['sdb1', 2],
    ['sdc', 1],
  ]);
  expect([...driveErrors(log, NOW - 25 * 60_000, NOW)]).toEqual([
    ['sdb1', 1],
    ['sdc', 1],
  ]);
});

it('finds the drives mounted below a directory, by their numbers', () => {
  const mounts =
    '/dev/sdb1 /srv/node/sdb1 xfs rw 0 0\n/dev/disk/by-id/x /srv/node/d2 xfs rw 0 0\n/dev/sda1 / ext4 rw 0 0\n';
  const partitions =
    'major minor  #blocks  name\n\n   8       17    1000 sdb1\n   8       33    1000 sdc1\n   8        1    1000 sda1\n';
  const numbers: Record<string, [number, number]> = { '/dev/sdb1': [8, 17], '/dev/disk/by-id/x': [8, 33] };
  expect(drivesBelow('/srv/node', mounts, partitions, device => numbers[device] ?? null)).toEqual([
    { kernelName: 'sdb1', mountPoint: '/srv/node/sdb1' },
    { kernelName: 'sdc1', mountPoint: '/srv/node/d2' },
  ]);
});

it('turns the line of one mount point into a comment', () => {
  const fstab =
    '/dev/sda1 / ext4 defaults 0 1\n/dev/sdb1 /srv/node/sdb1 xfs noatime 0 0\n#/dev/sdc1 /srv/node/sdb1 xfs\n';
  expect(withoutMount(fstab, '/srv/node/sdb1')).toBe(
    '/dev/sda1 / ext4 defaults 0 1\n#/dev/sdb1 /srv/node/sdb1 xfs noatime 0 0\n#/dev/sdc1 /srv/node/sdb1 xfs\n',
  );
});
