import { expect, it } from 'vitest';
import { processTable, signalNumber, swiftProcesses } from './processes.ts';

const LISTING = `
  40-03:02:01   101 /usr/bin/python /usr/bin/swift-object-server /etc/swift/object-server.conf
     02:02:01   102 /opt/node/bin/node --no-warnings /srv/deploy/bin/swift-proxy-server.mjs /etc/swift/proxy-server.conf
        00:05   103 python2.7 /usr/local/bin/swift-object-auditor /etc/swift/object-server.conf once
     11:22:33   104 vi /etc/swift/swift-notes
     11:22:33   105 /usr/bin/node /usr/bin/npm start
`;

it('knows the programs of swift among all processes, and their age in hours', () => {
  expect(swiftProcesses(LISTING)).toEqual([
    { pid: 101, hours: 963, command: 'object-server /etc/swift/object-server.conf' },
    { pid: 102, hours: 2, command: 'proxy-server /etc/swift/proxy-server.conf' },
    { pid: 103, hours: 0, command: 'object-auditor /etc/swift/object-server.conf once' },
  ]);
});

it('prints them as a table of 80 characters, or as wide as they are', () => {
  const long = { pid: 7, hours: 100_000, command: 'x'.repeat(100) };
  expect(processTable([long]).split('\n')).toEqual([
    ' Hours PID Command',
    `100000   7 ${'x'.repeat(69)}`,
    '',
  ]);
  expect(processTable([long], true)).toContain('x'.repeat(100));
  expect(processTable([])).toBe('');
});

it('takes signals by number and name', () => {
  expect(['TERM', 'sigterm', '15', '0', 'nonsense'].map(signalNumber)).toEqual([15, 15, 15, null, null]);
});
