import { Fault, requestContext } from '@folsom/core';
import { describe, expect, it } from 'vitest';
import { decodeFailure, encodeFailure } from './failure.ts';
import { versionServed } from './version.ts';
import { packNotificationContext, requestBody, unpackContext } from './wire.ts';

const context = requestContext({
  requestId: 'req-1',
  userId: 'u',
  projectId: 'p',
  roles: ['Member'],
  authToken: 'TOKEN',
  timestamp: Date.UTC(2012, 8, 27, 10),
  serviceCatalog: [{ type: 'volume' }],
});

describe('the request body', () => {
  it('is the method dictionary with exactly the context fields Folsom sends', () => {
    const body = requestBody(
      context,
      { method: 'run_instance', args: { a: 1 }, version: '2.0' },
      'm'.repeat(32),
    );
    expect(Object.keys(body).sort()).toEqual([
      '_context_auth_token',
      '_context_instance_lock_checked',
      '_context_is_admin',
      '_context_project_id',
      '_context_project_name',
      '_context_quota_class',
      '_context_read_deleted',
      '_context_remote_address',
      '_context_request_id',
      '_context_roles',
      '_context_service_catalog',
      '_context_timestamp',
      '_context_user_id',
      '_context_user_name',
      '_msg_id',
      'args',
      'method',
      'version',
    ]);
    expect(body._context_timestamp).toBe('2012-09-27T10:00:00.000000');
  });

  it('leaves the version out of an unversioned message', () => {
    expect(requestBody(context, { method: 'x', args: {} })).not.toHaveProperty('version');
  });

  it('carries the trace beside the context: an original knows all fields of its context, and no other', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const body = requestBody({ ...context, traceparent }, { method: 'x', args: {} });
    expect(Object.keys(body).filter(name => name.includes('trace'))).toEqual(['_traceparent']);
    expect(unpackContext(body, 0).traceparent).toBe(traceparent);
    expect(unpackContext({ ...body, _traceparent: 'somebody’s text' }, 0).traceparent).toBeNull();
    expect(packNotificationContext({ ...context, traceparent })).not.toHaveProperty('_traceparent');
  });

  it('gives the same context back', () => {
    const body = requestBody(context, { method: 'x', args: {} });
    expect(unpackContext(JSON.parse(JSON.stringify(body)), 0)).toEqual(context);
  });

  it('CVE-2017-7214: never lets a field through that is not on its list, nor a token into a notification', () => {
    const odd = { ...context, adminPass: 'MARK1' };
    expect(JSON.stringify(requestBody(odd, { method: 'x', args: {} }))).not.toContain('MARK1');
    expect(JSON.stringify(packNotificationContext(odd))).not.toMatch(/MARK1|TOKEN|volume/);
  });

  it('takes no rights from values of the wrong type', () => {
    const read = unpackContext({ _context_is_admin: 'yes', _context_roles: 'admin', _context_user_id: 7 }, 5);
    expect(read).toMatchObject({ isAdmin: false, roles: [], userId: null, timestamp: 5 });
  });
});

describe('failures', () => {
  it('carry a fault as the Folsom exception of its name and back', () => {
    const text = encodeFailure(
      new Fault('InstanceNotFound', 404, 'Instance 7', { values: { instance_id: '7' } }),
    );
    expect(JSON.parse(text)).toMatchObject({
      class: 'InstanceNotFound',
      module: 'nova.exception',
      message: 'Instance 7',
      args: ['Instance 7'],
      kwargs: { instance_id: '7', code: 404 },
    });
    const back = decodeFailure(text);
    expect(back).toMatchObject({ name: 'InstanceNotFound', status: 404, message: 'Instance 7' });
    expect(back.values).toEqual({ instance_id: '7' });
    expect(decodeFailure(text, { faultStatus: () => 410 }).status).toBe(410);
  });

  it('become RemoteError for modules that are not allowed', () => {
    const fault = decodeFailure('{"class":"ValueError","module":"exceptions","message":"bad","tb":["l1"]}');
    expect(fault).toMatchObject({
      name: 'RemoteError',
      status: 500,
      message: 'Remote error: ValueError bad',
    });
    expect(fault.values.traceback).toEqual(['l1']);
  });

  it('survive garbage', () => {
    for (const text of ['{', 7, null, '[]', '{"class":5}'])
      expect(decodeFailure(text).name).toBe('RemoteError');
  });
});

describe('versions', () => {
  it.each([
    ['2.2', '2.0', true],
    ['2.2', '2.2', true],
    ['2.2', '2.3', false],
    ['2.2', '1.0', false],
    ['1.0', undefined, true],
    ['2.0', null, false],
    [undefined, '9.9', true],
    ['2.2', 'x', false],
    ['2.10', '2.9', true],
  ])('endpoint %s, message %s: %s', (served, asked, answer) => {
    expect(versionServed(served, asked)).toBe(answer);
  });
});
