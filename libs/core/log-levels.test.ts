import { expect, it } from 'vitest';
import { levelOf, parseLogLevels } from './log-levels.ts';
import { createLogger } from './logger.ts';

it('levels are read as Folsom and the command line write them', () => {
  expect(parseLogLevels(['warn', 'nova-compute=DEBUG', 'eventlet.wsgi.server=CRITICAL'])).toEqual({
    level: 'warn',
    modules: { 'nova.compute': 'debug', 'eventlet.wsgi.server': 'error' },
  });
  expect(parseLogLevels([])).toEqual({ level: null, modules: {} });
  for (const word of ['loud', 'nova=', 'nova=constructor', ''])
    expect(() => parseLogLevels([word])).toThrow(/names no level/);
});

it('the longest name that fits decides', () => {
  const { modules } = parseLogLevels(['nova=error', 'nova.compute=debug', 'constructor=debug']);
  const of = (service: string) => levelOf(service, 'info', modules);
  expect(['nova-compute', 'nova-scheduler', 'glance-api', 'novad', ''].map(of)).toEqual([
    'debug',
    'error',
    'info',
    'info',
    'info',
  ]);
});

it('a line that is cut still says whose it is', () => {
  const lines: string[] = [];
  const log = createLogger({ write: line => lines.push(line), fields: { service: 'nova-api' } });
  const long = Array.from({ length: 300 }, () => 'y'.repeat(100));
  log.info('one', { requestId: 'req-1', tenant: 't', long });
  expect(JSON.parse(lines[0]!)).toMatchObject({
    service: 'nova-api',
    requestId: 'req-1',
    tenant: 't',
    message: 'one',
    truncated: expect.any(Number),
  });
});
