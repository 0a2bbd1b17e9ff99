import { Fault } from '@folsom/core';
import { expect, it } from 'vitest';
import { passing } from './passing.ts';

const coded = (code: string, more: object = {}) => Object.assign(new Error(code), { code, ...more });
const fault = (name: string, values: Record<string, unknown> = {}) => new Fault(name, 500, name, { values });

it.each([
  ['the broker is away', fault('RpcUnavailable'), 'outage'],
  ['the bus is closed', fault('RpcClosed'), 'outage'],
  ["the other side's database is away", fault('RemoteError', { exc_type: 'OperationalError' }), 'outage'],
  ['the other side failed by itself', fault('RemoteError', { exc_type: 'KeyError' }), undefined],
  ['the database refuses connections', coded('ECONNREFUSED', { fatal: true }), 'outage'],
  ['two transactions met', coded('ER_LOCK_DEADLOCK', { errno: 1213 }), 'brief'],
  ['the disk is full', coded('ENOSPC'), 'brief'],
  ['libvirt is away', fault('HypervisorUnavailable'), 'brief'],
  ['glance is away', fault('GlanceConnectionFailed'), 'brief'],
  ['there is no room on any host', fault('NoValidHost'), undefined],
  ['a mistake of ours', new TypeError('x is not a function'), undefined],
  ['a file is not there', coded('ENOENT'), undefined],
  ['something that is no error', 'text', undefined],
])('%s', (_words, error, kind) => expect(passing(error)).toBe(kind));
