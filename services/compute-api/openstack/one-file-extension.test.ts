import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { operationsOf } from '@folsom/http/operation';
import { afterAll, describe, expect, it } from 'vitest';
import { EXTENSIONS } from '../compute-api.ts';
import { bootBody, DEMO, startTestApi, type TestApi } from '../test-api.ts';

/** Beside the service's own, so that it imports what those import. */
const folder = mkdtempSync(join(import.meta.dirname, 'extensions-'));

/** A boot attribute, an addition to views, an operation with policy, XML and faults: all that an extension may be. */
const FILE = `
import Type from 'typebox';
import { attribute, one, view } from '@folsom/wire/view';
import { Fault } from '@folsom/core';
import { bare, operation } from '../http/operation.ts';
import { serverAttributes } from '../http/server-attributes.ts';
import { name } from '../http/shapes.ts';
import { present } from '../http/xml.ts';

const owners = new Map();
const shown = one(view('owner', { phone: attribute(phone => phone) }));

export const extension = {
  alias: 'EXT-OWNER',
  name: 'Owner',
  namespace: 'http://example.org/owner',
  updated: '2013-01-01T00:00:00+00:00',
  description: 'Who is to be called about a server.',
  attributes: serverAttributes({
    shape: { 'EXT-OWNER:owner': Type.Optional(name({ maxLength: 'That is no name.', else: 'An owner is a text.' })) },
    readBoot: server => ({ metadata: { owner: server['EXT-OWNER:owner'] ?? 'nobody' } }),
    readXml: node => present(node, ['owner']).owner ? { 'EXT-OWNER:owner': node.attributes.owner } : {},
  }),
  server: { 'EXT-OWNER:owner': attribute(instance => instance.metadata.owner ?? 'nobody') },
  resources: ['/os-owners'],
  operations: [
    operation({
      name: 'ShowOwner',
      method: 'GET',
      path: '/os-owners/:id',
      policy: null,
      answers: 200,
      view: shown,
      faults: { NobodyKnowsThem: [404, fault => 'Nobody knows ' + fault.values.who] },
      run: ({ params }) => {
        const phone = owners.get(params.id);
        if (phone === undefined) throw new Fault('NobodyKnowsThem', 500, 'inner', { values: { who: params.id } });
        return shown.json(phone);
      },
    }),
    operation({
      name: 'SetOwner',
      method: 'PUT',
      path: '/os-owners/:id',
      policy: 'compute_extension:hosts',
      body: Type.Object({ owner: Type.Object({ phone: name('A phone is a text.') }) }),
      answers: 202,
      run: ({ params, body }) => {
        owners.set(params.id, body.owner.phone);
        return bare();
      },
    }),
  ],
};
`;

const apis: TestApi[] = [];
const start = async () => {
  const api = await startTestApi({ extensions: [EXTENSIONS, pathToFileURL(`${folder}/`)] });
  apis.push(api);
  return api;
};

afterAll(async () => {
  for (const api of apis) await api.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('an extension', () => {
  it('is one file: boot attribute, views in JSON and XML, operations, policy and faults', async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'owner.ts'), FILE);
    const api = await start();
    expect((await api.call('GET', 'extensions/EXT-OWNER')).json.extension.name).toBe('Owner');

    const made = await api.call('POST', 'servers', { body: bootBody({ 'EXT-OWNER:owner': 'ann' }) });
    const id = made.json.server.id;
    expect((await api.call('GET', `servers/${id}`)).json.server['EXT-OWNER:owner']).toBe('ann');
    const xml = { accept: 'application/xml' };
    expect((await api.call('GET', `servers/${id}`, { headers: xml })).text).toContain(
      'EXT-OWNER:owner="ann"',
    );
    const { imageRef, flavorRef } = bootBody().server;
    const document = `<server name="x" imageRef="${imageRef}" flavorRef="${flavorRef}" owner="bob"/>`;
    const booted = await api.call('POST', 'servers', {
      raw: document,
      headers: { 'content-type': 'application/xml' },
    });
    expect((await api.call('GET', `servers/${booted.json.server.id}`)).json.server['EXT-OWNER:owner']).toBe(
      'bob',
    );
    for (const [owner, message] of [
      [5, 'An owner is a text.'],
      ['x'.repeat(256), 'That is no name.'],
    ] as const) {
      const answer = await api.call('POST', 'servers', { body: bootBody({ 'EXT-OWNER:owner': owner }) });
      expect([answer.status, answer.json.badRequest.message]).toEqual([400, message]);
    }

    const unknown = await api.call('GET', 'os-owners/ann');
    expect([unknown.status, unknown.json.itemNotFound.message]).toEqual([404, 'Nobody knows ann']);
    const body = { owner: { phone: '1' } };
    expect((await api.call('PUT', 'os-owners/ann', { body })).status).toBe(403);
    expect((await api.call('PUT', 'os-owners/ann', { body: { owner: {} }, admin: true })).status).toBe(400);
    expect((await api.call('PUT', 'os-owners/ann', { body, admin: true })).status).toBe(202);
    expect((await api.call('GET', 'os-owners/ann', { headers: xml })).text).toContain('<owner phone="1"/>');
    expect((await api.call('GET', 'os-owners')).status).toBe(404);
    expect((await api.call('GET', `/v2/${DEMO}/os-owners/ann`, { token: 'other' })).status).toBe(400);
    expect(operationsOf(api.api.app).map(item => item.name)).toContain('SetOwner');
  });

  it('leaves no trace when its file is gone', async () => {
    rmSync(join(folder, 'owner.ts'));
    const api = await start();
    expect((await api.call('GET', 'extensions/EXT-OWNER')).status).toBe(404);
    const made = await api.call('POST', 'servers', { body: bootBody({ 'EXT-OWNER:owner': 5 }) });
    expect(made.status).toBe(202);
    const { server } = (await api.call('GET', `servers/${made.json.server.id}`)).json;
    expect(server).not.toHaveProperty('EXT-OWNER:owner');
    expect((await api.call('GET', 'os-owners/ann')).text).toContain('could not be found');
    expect(operationsOf(api.api.app).map(item => item.name)).not.toContain('SetOwner');
  });
});
