import { systemClock } from '@folsom/core';
import { insertVolume, tryMoveVolume } from '@folsom/nova/volumes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootBody, DEMO, IMAGE, makeActive, OTHER, startTestApi, type TestApi } from './test-api.ts';

const NOSUCH = '00000000-0000-0000-0000-000000000000';

let test: TestApi;
let server: string;
beforeEach(async () => {
  test = await startTestApi();
  server = (await test.call('POST', 'servers', { body: bootBody() })).json.server.id;
  await makeActive(test, server);
  test.messages.length = 0;
});
afterEach(() => test.stop());

let serial = 0;
async function addVolume(project_id = DEMO): Promise<string> {
  const id = `10000000-0000-4000-8000-${String(++serial).padStart(12, '0')}`;
  await insertVolume(test.db.knex, { id, size: 1, host: 'node1', project_id }, systemClock.now());
  await tryMoveVolume(test.db.knex, id, 'created', systemClock.now());
  return id;
}
const volume = async (id: string) => (await test.db.knex('volumes').where({ id }).first())!;
/** As the agent leaves it. */
const attached = (id: string) =>
  test.db.knex('volumes').where({ id }).update({ status: 'in-use', attach_status: 'attached' });
const at = (id = server) => `servers/${id}/os-volume_attachments`;
const attach = (volumeAttachment: unknown, options: Record<string, unknown> = {}) =>
  test.call('POST', at(), { body: { volumeAttachment }, ...options });

describe('volumes of a server', () => {
  it('are none at first', async () => {
    const answer = await test.call('GET', at());
    expect([answer.status, answer.json]).toEqual([200, { volumeAttachments: [] }]);
    const xml = await test.call('GET', at(), { headers: { accept: 'application/xml' } });
    expect(xml.text).toContain('<volumeAttachments/>');
  });

  it('are attached with the name they get, and the host is told', async () => {
    const id = await addVolume();
    const answer = await attach({ volumeId: id, device: '/dev/vdd' });
    const shown = { id, volumeId: id, serverId: server, device: '/dev/sdd' };
    expect([answer.status, answer.json]).toEqual([200, { volumeAttachment: shown }]);
    expect(await volume(id)).toMatchObject({ status: 'attaching', instance_uuid: server });
    await expect
      .poll(() => test.messages.filter(({ to }) => to === 'compute.attach_volume').map(({ args }) => args))
      .toEqual([expect.objectContaining({ volume_id: id, mountpoint: '/dev/sdd' })]);
    expect((await test.call('GET', at())).json).toEqual({ volumeAttachments: [shown] });
    expect((await test.call('GET', `${at()}/${id}`)).json).toEqual({ volumeAttachment: shown });
    const xml = await test.call('GET', `${at()}/${id}`, { headers: { accept: 'application/xml' } });
    expect(xml.text).toContain(
      `<volumeAttachment id="${id}" serverId="${server}" volumeId="${id}" device="/dev/sdd"/>`,
    );
  });

  it('get the first free name where none is asked for, each its own', async () => {
    const [one, two, three] = [await addVolume(), await addVolume(), await addVolume()];
    expect((await attach({ volumeId: one })).json.volumeAttachment.device).toBe('/dev/sdb');
    expect((await attach({ volumeId: two, device: null })).json.volumeAttachment.device).toBe('/dev/sdc');
    const taken = await attach({ volumeId: three, device: '/dev/vdb' });
    expect([taken.status, taken.json.conflictingRequest.message]).toEqual([
      409,
      'The supplied device path (/dev/vdb) is in use.',
    ]);
    expect(await volume(three)).toMatchObject({ status: 'available', instance_uuid: null });
  });

  it('of five requests for one volume one gets it, and of five for one name one', async () => {
    const id = await addVolume();
    const many = await Promise.all(Array.from({ length: 5 }, () => attach({ volumeId: id })));
    expect(many.map(answer => answer.status).sort()).toEqual([200, 400, 400, 400, 400]);
    const others = await Promise.all(Array.from({ length: 5 }, () => addVolume()));
    const named = await Promise.all(others.map(volumeId => attach({ volumeId, device: '/dev/vdk' })));
    expect(named.map(answer => answer.status).sort()).toEqual([200, 409, 409, 409, 409]);
    expect((await test.call('GET', at())).json.volumeAttachments).toHaveLength(2);
  });

  it('are read from XML, too', async () => {
    const id = await addVolume();
    const raw = `<volumeAttachment volumeId="${id}" device="/dev/vdc"/>`;
    const answer = await test.call('POST', at(), { raw, headers: { 'content-type': 'application/xml' } });
    expect([answer.status, answer.json.volumeAttachment.device]).toEqual([200, '/dev/sdc']);
  });

  it('are detached once, by who has them', async () => {
    const id = await addVolume();
    await attach({ volumeId: id });
    const early = await test.call('DELETE', `${at()}/${id}`);
    expect([early.status, early.json.badRequest.message]).toEqual([
      400,
      'Invalid volume: Volume must be attached in order to detach.',
    ]);
    await attached(id);
    const answer = await test.call('DELETE', `${at()}/${id}`);
    expect([answer.status, answer.text]).toEqual([202, '']);
    expect((await volume(id)).status).toBe('detaching');
    await expect
      .poll(() => test.messages.filter(({ to }) => to === 'compute.detach_volume').map(({ args }) => args))
      .toEqual([expect.objectContaining({ volume_id: id })]);
    expect((await test.call('DELETE', `${at()}/${id}`)).status).toBe(400);
  });

  it('stay where they are while their server is locked', async () => {
    const [one, two] = [await addVolume(), await addVolume()];
    await attach({ volumeId: one });
    await attached(one);
    await test.db.knex('instances').where({ uuid: server }).update({ locked: 1 });
    expect((await test.call('DELETE', `${at()}/${one}`)).status).toBe(400);
    expect((await attach({ volumeId: two })).status).toBe(400);
    expect([(await volume(one)).status, (await volume(two)).status]).toEqual(['in-use', 'available']);
  });

  it('of other tenants are not there, and neither are their servers', async () => {
    const theirs = await addVolume(OTHER);
    expect((await attach({ volumeId: theirs })).status).toBe(404);
    expect((await volume(theirs)).status).toBe('available');
    const own = await addVolume();
    await attach({ volumeId: own });
    await attached(own);
    const path = `/v2/${OTHER}/servers/${server}/os-volume_attachments`;
    for (const [method, below] of [
      ['GET', ''],
      ['GET', `/${own}`],
      ['DELETE', `/${own}`],
    ] as const) {
      expect([method, below, (await test.call(method, path + below, { token: 'other' })).status]).toEqual([
        method,
        below,
        404,
      ]);
    }
    const body = { volumeAttachment: { volumeId: theirs } };
    expect((await test.call('POST', path, { body, token: 'other' })).status).toBe(404);
    expect((await volume(own)).status).toBe('in-use');
  });

  it('are refused in the words of the time when they cannot be had', async () => {
    const id = await addVolume();
    expect((await attach({ volumeId: NOSUCH, device: '/dev/vde' })).json).toEqual({
      itemNotFound: { message: 'The resource could not be found.', code: 404 },
    });
    for (const device of ['vdb', '/dev/', '/etc/passwd', '../vdb', '/dev/1', `/dev/vd${'b'.repeat(400)}`]) {
      expect([device, (await attach({ volumeId: id, device })).status]).toEqual([device, 400]);
    }
    for (const bad of [
      null,
      'x',
      1,
      [],
      {},
      { volumeId: null },
      { volumeId: [] },
      { volumeId: id, device: 1 },
    ]) {
      expect([bad, (await attach(bad)).status]).toEqual([
        bad,
        expect.toSatisfy(is => is === 400 || is === 422),
      ]);
    }
    expect((await test.call('PUT', `${at()}/${id}`, { body: {} })).status).toBe(400);
    expect((await test.call('GET', `${at()}/${id}`)).status).toBe(404);
    expect((await test.call('DELETE', `${at()}/${id}`)).status).toBe(404);
    expect((await test.call('GET', at(NOSUCH))).status).toBe(404);
    await test.db.knex('instances').where({ uuid: server }).update({ host: null });
    expect((await attach({ volumeId: id })).status).toBe(400);
    expect((await volume(id)).status).toBe('available');
    expect(await test.db.knex('block_device_mapping').where({ deleted: 0 })).toEqual([]);
  });

  it('are free again when their server is deleted while its host is down', async () => {
    const [kept, gone] = [await addVolume(), await addVolume()];
    for (const volumeId of [kept, gone]) {
      await attach({ volumeId });
      await attached(volumeId);
    }
    const flag = { delete_on_termination: 1 };
    await test.db.knex('block_device_mapping').where({ volume_id: gone }).update(flag);
    expect((await test.call('DELETE', `servers/${server}`)).status).toBe(204);
    expect(await volume(kept)).toMatchObject({ status: 'available', attach_status: 'detached' });
    expect((await volume(gone)).status).toBe('deleting');
    expect(await test.db.knex('block_device_mapping').where({ deleted: 0 })).toEqual([]);
  });
});

describe('servers booted from volumes', () => {
  it('are asked for and found beside the others', async () => {
    const volume_id = await addVolume();
    const device = { volume_id, device_name: 'vda', volume_size: '', delete_on_termination: '0' };
    const body = bootBody({ block_device_mapping: [device], min_count: 1, max_count: 1 });
    const booted = await test.call('POST', 'os-volumes_boot', { body });
    expect([booted.status, Object.keys(booted.json.server).sort()]).toEqual([
      202,
      ['OS-DCF:diskConfig', 'adminPass', 'id', 'links', 'security_groups'],
    ]);
    const { id } = booted.json.server;
    const row = await test.db.knex('block_device_mapping').where({ instance_uuid: id }).first();
    expect(row).toMatchObject({ volume_id, device_name: 'vda', delete_on_termination: 0, volume_size: null });
    const listed = (await test.call('GET', 'os-volumes_boot')).json.servers.map(
      (one: { id: string }) => one.id,
    );
    expect(listed.sort()).toEqual([id, server].sort());
    expect((await test.call('GET', `os-volumes_boot/${id}`)).json.server.id).toBe(id);
    expect((await test.call('DELETE', `os-volumes_boot/${id}`)).status).toBe(204);
    expect((await volume(volume_id)).status).toBe('available');
  });

  it('need an image and volumes of their tenant', async () => {
    const theirs = await addVolume(OTHER);
    const boot = (more: Record<string, unknown>) =>
      test.call('POST', 'os-volumes_boot', { body: bootBody(more) });
    const mapping = (device: Record<string, unknown>) => ({ block_device_mapping: [device] });
    const named = { device_name: 'vdb' };
    const none = await boot({ imageRef: '', ...mapping({ volume_id: theirs, ...named }) });
    expect([none.status, none.json.badRequest.message]).toEqual([400, 'Invalid imageRef provided.']);
    const foreign = await boot(mapping({ volume_id: theirs, ...named }));
    expect([foreign.status, foreign.json.badRequest.message]).toEqual([
      400,
      `Block Device Mapping is Invalid: failed to get volume ${theirs}.`,
    ]);
    const odd: unknown[] = [{ toString: 1, valueOf: 2 }, [{ toString: 1 }], [], {}, 1e30, '__proto__'];
    for (const flag of ['delete_on_termination', 'no_device', 'volume_size', 'virtual_name'])
      for (const value of odd)
        expect([flag, value, (await boot(mapping({ volume_id: theirs, ...named, [flag]: value }))).status]).toEqual([flag, value, 400]); // biome-ignore format: one call
    test.images.get(IMAGE)!.properties = mapping({ volume_id: theirs, ...named });
    expect((await boot({})).status).toBe(400);
    test.images.get(IMAGE)!.properties = {};
    const snapshot = await boot(mapping({ snapshot_id: NOSUCH, ...named }));
    expect([snapshot.status, snapshot.json.badRequest.message]).toEqual([
      400,
      `Block Device Mapping is Invalid: failed to get snapshot ${NOSUCH}.`,
    ]);
  });

  it('become images of snapshots, from which others boot', async () => {
    const volume_id = await addVolume();
    const device = { volume_id, device_name: '/dev/vda' };
    const booted = await test.call('POST', 'servers', { body: bootBody({ block_device_mapping: [device] }) });
    const { id } = booted.json.server;
    await makeActive(test, id);
    await test.db.knex('instances').where({ uuid: id }).update({ root_device_name: '/dev/vda' });
    await attached(volume_id);
    const made = await test.call('POST', `servers/${id}/action`, {
      body: { createImage: { name: 'backed' } },
    });
    expect(made.status).toBe(202);
    const image = test.images.get(made.headers.get('location')!.split('/').pop()!)!;
    const snapshot = (await test.db.knex('snapshots').where({ volume_id }).first())!;
    expect(image).toMatchObject({
      name: 'backed',
      status: 'active',
      properties: {
        root_device_name: '/dev/vda',
        block_device_mapping: [{ device_name: '/dev/vda', snapshot_id: snapshot.id }],
      },
    });
    const next = await test.call('POST', 'servers', { body: bootBody({ imageRef: image.id }) });
    const row = { instance_uuid: next.json.server.id };
    expect(await test.db.knex('block_device_mapping').where(row).first()).toMatchObject({
      device_name: '/dev/vda',
      snapshot_id: snapshot.id,
      volume_id: null,
    });
  });
});
