import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import { expect, it } from 'vitest';
import { countAnswer, NO_STATS, statsFrom } from './statsd.ts';
import { confSection } from './swift-conf.ts';
import { facilityNumber, syslogFrom } from './syslog.ts';

const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };

/** A listener on a port of its own, and the first `count` datagrams it gets. */
async function listener(count: number) {
  const socket = createSocket('udp4');
  const texts: string[] = [];
  const all = new Promise<string[]>(resolve =>
    socket.on('message', bytes => {
      texts.push(bytes.toString());
      if (texts.length === count) resolve(texts);
    }),
  );
  await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve));
  return { port: (socket.address() as AddressInfo).port, all, close: () => socket.close() };
}

it('statsd gets counters and times under the names of the original', async () => {
  const statsd = await listener(5);
  const conf = confSection({
    log_statsd_host: '127.0.0.1',
    log_statsd_port: String(statsd.port),
    log_statsd_metric_prefix: 'east.n1',
  });
  const stats = statsFrom(conf, 'object-server', world);
  stats.count('async_pendings');
  const metered = { ...world, stats };
  countAnswer(metered, 'object-server', 'PUT', 201, 12.5);
  countAnswer(metered, 'object-server', 'PUT', 507, 1);
  countAnswer(metered, 'object-server', 'PUT', 408, 1);
  countAnswer(metered, 'object-server', 'GET', 404, 3);
  expect((await statsd.all).sort()).toEqual([
    'east.n1.object-server.GET.timing:3|ms',
    'east.n1.object-server.PUT.errors:1|c',
    'east.n1.object-server.PUT.timeouts:1|c',
    'east.n1.object-server.PUT.timing:12.5|ms',
    'east.n1.object-server.async_pendings:1|c',
  ]);
  stats.close();
  statsd.close();
});

it('a sample rate sends so many of a hundred, and says so', async () => {
  const statsd = await listener(20);
  const conf = confSection({
    access_log_statsd_host: '127.0.0.1',
    access_log_statsd_port: String(statsd.port),
    log_statsd_port: '1',
    log_statsd_default_sample_rate: '0.25',
  });
  const stats = statsFrom(conf, 'proxy-server', world, 'access_');
  for (let i = 0; i < 200; i++) stats.count('object.GET.200.xfer', 7);
  expect((await statsd.all)[0]).toBe('proxy-server.object.GET.200.xfer:7|c|@0.25');
  stats.close();
  statsd.close();
  expect(statsFrom(confSection({}), 'x', world)).toBe(NO_STATS);
});

it('syslog over UDP: facility and level in front, then the name of the program', async () => {
  const daemon = await listener(2);
  const conf = confSection({
    log_udp_host: '127.0.0.1',
    log_udp_port: String(daemon.port),
    log_facility: 'LOG_LOCAL2',
  });
  const syslog = syslogFrom(conf, 'object-server', () => {})!;
  expect(syslog.write('{"level":"info","message":"a"}\n')).toBe(true);
  syslog.write('{"level":"error","message":"b"}\n');
  expect(await daemon.all).toEqual([
    '<150>object-server: {"level":"info","message":"a"}',
    '<147>object-server: {"level":"error","message":"b"}',
  ]);
  syslog.close();
  daemon.close();
});

it('without a listener at log_address there is no syslog; unknown facilities are refused', () => {
  expect(syslogFrom(confSection({ log_address: '/nonexistent/log' }), 'x', () => {})).toBeNull();
  expect(facilityNumber('LOG_DAEMON')).toBe(3);
  expect(() => facilityNumber('LOG_MOON')).toThrow('no such facility');
});
