import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO, IMAGE, startTestApi, type TestApi } from './test-api.ts';
import { startVolumeApi } from './volume-api.ts';

/** Values put where something else belongs. */
const BAD: unknown[] = [
  ...[
    null,
    true,
    -1,
    1e308,
    '',
    'x'.repeat(300),
    '\u0000',
    '\ud800',
    "'; DROP TABLE volumes; --",
    [],
    [null],
    {},
  ],
  { toString: 1, valueOf: 2 },
  JSON.parse('{"__proto__": {"x": 1}}'),
];
const xml = { accept: 'application/xml' };

describe('the volume API', () => {
  let test: TestApi;
  beforeAll(async () => {
    test = await startTestApi({ start: startVolumeApi, nova: { quota_volumes: 50 } });
  });
  afterAll(() => test.stop());

  const create = (volume: object) => test.call('POST', 'volumes', { body: { volume } });
  const made = async (status = 'available', more: object = {}): Promise<string> => {
    const { json } = await create({ size: 1, ...more });
    await test.db.knex('volumes').where({ id: json.volume.id }).update({ status, host: 'node1' });
    return json.volume.id;
  };

  it('says which version it is', async () => {
    const { json } = await test.call('GET', '/');
    expect(json.versions).toMatchObject([{ id: 'v1.0', links: [{ href: `${test.url}/v1/` }] }]);
    expect((await test.call('GET', '/v1/')).json.version['media-types']).toHaveLength(2);
    const { json: listed } = await test.call('GET', 'extensions');
    expect(listed.extensions.map(({ alias }: { alias: string }) => alias)).toEqual([
      'os-admin-actions',
      'os-image-create',
      'os-types-extra-specs',
      'os-types-manage',
      'os-volume-actions',
    ]);
  });

  it('creates, shows and lists volumes as Folsom did', async () => {
    const answer = await create({ size: 1, display_name: 'v1', metadata: { a: 'b' } });
    expect(answer.status).toBe(200);
    const { id } = answer.json.volume;
    expect(answer.headers.get('location')).toBe(`${test.url}/v1/${DEMO}/volumes/${id}`);
    expect(answer.json.volume).toEqual({
      id,
      status: 'creating',
      size: 1,
      availability_zone: 'nova',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
      attachments: [],
      display_name: 'v1',
      display_description: null,
      volume_type: 'None',
      snapshot_id: null,
      metadata: {},
    });
    expect(test.messages.at(-1)).toMatchObject({
      to: 'scheduler.create_volume',
      args: { volume_id: id, snapshot_id: null, image_id: null },
    });
    expect((await test.call('GET', 'volumes')).json.volumes[0].metadata).toEqual({ a: 'b' });
    await test.db.knex('volumes').where({ id }).update({
      status: 'in-use',
      host: 'node1',
      attach_status: 'attached',
      instance_uuid: 'i',
      mountpoint: '/dev/vdb',
      created_at: '2012-09-27 10:00:00',
    });
    const shown = await test.call('GET', `volumes/${id}`, { headers: xml });
    expect(shown.text).toContain(
      `<attachments><attachment id="${id}" server_id="i" volume_id="${id}" device="/dev/vdb"/></attachments>` +
        '<metadata><meta key="a">b</meta></metadata>',
    );
    expect(shown.text).toContain('created_at="2012-09-27 10:00:00"');
    expect((await test.call('DELETE', `volumes/${id}`)).json.badRequest.message).toBe(
      'Invalid volume: Volume status must be available or error',
    );
    expect((await test.call('GET', `volumes/${id}`, { token: 'other' })).status).toBe(404);
  });

  it('reads XML', async () => {
    const raw =
      '<volume xmlns="http://docs.openstack.org/volume/api/v1" display_name="vx" size="2"><metadata><meta key="k">v</meta></metadata></volume>';
    const headers = { ...xml, 'content-type': 'application/xml' };
    const { status, text } = await test.call('POST', 'volumes', { raw, headers });
    expect(status).toBe(200);
    expect(text).toContain('display_name="vx"');
    expect(text).toMatch(/<attachments\/><metadata\/><\/volume>$/);
  });

  it.each([
    [{}, 422, 'Unable to process the contained instructions'],
    [{ volume: {} }, 400, /^The server could not comply/],
    [
      { volume: { size: 'x' } },
      400,
      "Invalid input received: Volume size 'x' must be an integer and greater than 0",
    ],
    [{ volume: { size: [] } }, 400, /^The server could not comply/],
    [{ volume: { size: 1, display_name: 'n'.repeat(256) } }, 400, /^The server could not comply/],
    [{ volume: { size: 1, metadata: 'x' } }, 400, /^The server could not comply/],
    [{ volume: { size: 1, metadata: { ['k'.repeat(256)]: 'v' } } }, 413, /key greater than 255/],
    [{ volume: { size: 1, volume_type: 'none' } }, 404, 'The resource could not be found.'],
    [{ volume: { size: 1, snapshot_id: 'none' } }, 404, 'The resource could not be found.'],
    [{ volume: { size: 1, imageRef: 'none' } }, 400, 'Invalid imageRef provided.'],
    [
      { volume: { size: 1, imageRef: IMAGE, snapshot_id: 's' } },
      400,
      'Snapshot and image cannot be specified together.',
    ],
    [{ volume: { size: 100_000 } }, 413, 'VolumeSizeTooLarge: Maximum volume size exceeded'],
  ])('refuses %j', async (body, status, message) => {
    const answer = await test.call('POST', 'volumes', { body });
    expect(answer.status).toBe(status);
    const [fault] = Object.values(answer.json) as { message: string }[];
    expect(fault!.message).toMatch(
      message instanceof RegExp ? message : new RegExp(`^${message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`),
    );
    if (status === 413 && !/key/.test(String(message))) expect(answer.headers.get('retry-after')).toBe('0');
  });

  it('makes volumes of images, and images of volumes', async () => {
    const { json } = await create({ size: 1, imageRef: `http://x/images/${IMAGE}` });
    expect(json.volume.image_id).toBe(IMAGE);
    expect(test.messages.at(-1)!.args.image_id).toBe(IMAGE);
    const id = await made();
    const act = (body: object) => test.call('POST', `volumes/${id}/action`, { body });
    expect((await act({ 'os-volume_upload_image': {} })).json.badRequest.message).toBe(
      'No image_name was specified in request.',
    );
    const { status, json: uploaded } = await act({ 'os-volume_upload_image': { image_name: 'i' } });
    expect([status, uploaded['os-volume_upload_image']]).toMatchObject([
      202,
      { id, status: 'uploading', image_name: 'i', container_format: 'bare', disk_format: 'raw' },
    ]);
    expect(test.messages.at(-1)).toMatchObject({ to: 'volume.copy_volume_to_image' });
    expect((await act({ 'os-volume_upload_image': { image_name: 'i' } })).status).toBe(400);
    expect((await act({ 'os-reserve': {} })).json.badRequest.message).toBe(
      'There is no such action: os-reserve',
    );
  });

  it('snapshots', async () => {
    const id = await made();
    const ask = (snapshot: object) => test.call('POST', 'snapshots', { body: { snapshot } });
    expect((await ask({ volume_id: 'none' })).status).toBe(404);
    expect((await ask({})).status).toBe(400);
    expect((await ask({ volume_id: id, force: 'perhaps' })).json.badRequest.message).toBe(
      "Invalid value 'perhaps' for force. ",
    );
    const { json } = await ask({ volume_id: id, display_name: 's', force: false });
    expect(json.snapshot).toMatchObject({ volume_id: id, status: 'creating', size: 1, display_name: 's' });
    const { snapshot } = json;
    expect((await test.call('GET', `snapshots/${snapshot.id}`, { headers: xml })).text).toMatch(
      /<snapshot id="[^"]+" status="creating" size="1" display_name="s" display_description="None" volume_id="[^"]+" created_at="/,
    );
    expect((await test.call('GET', 'snapshots/detail')).json.snapshots).toHaveLength(1);
    expect((await test.call('GET', 'snapshots?all_tenants=1', { admin: true })).json.snapshots).toHaveLength(
      1,
    );
    expect((await test.call('GET', 'snapshots', { admin: true })).json.snapshots).toHaveLength(0);
    const reset = (admin: boolean, status = 'available') =>
      test.call('POST', `snapshots/${snapshot.id}/action`, {
        admin,
        body: { 'os-reset_status': { status } },
      });
    expect([
      (await reset(false)).status,
      (await reset(true, 'x')).status,
      (await reset(true)).status,
    ]).toEqual([403, 400, 202]);
    expect((await test.call('DELETE', `snapshots/${snapshot.id}`)).status).toBe(202);
    expect(test.messages.at(-1)).toMatchObject({ to: 'volume.delete_snapshot' });
  });

  it('lets administrators force what an instance does not have', async () => {
    const id = await made('creating');
    const force = (admin: boolean) =>
      test.call('POST', `volumes/${id}/action`, { admin, body: { 'os-force_delete': {} } });
    expect((await force(false)).status).toBe(403);
    await test.db.knex('volumes').where({ id }).update({ attach_status: 'attached' });
    expect((await force(true)).status).toBe(400);
    await test.db.knex('volumes').where({ id }).update({ attach_status: 'detached' });
    expect((await force(true)).status).toBe(202);
    expect(test.messages.at(-1)).toMatchObject({ to: 'volume.delete_volume', args: { volume_id: id } });
  });

  it('has types and their extra specs', async () => {
    const admin = { admin: true };
    const add = (name: string, as: object = admin) =>
      test.call('POST', 'types', { ...as, body: { volume_type: { name, extra_specs: { a: 'b' } } } });
    expect((await add('gold', {})).status).toBe(403);
    const { id } = (await add('gold')).json.volume_type;
    expect((await add('gold')).json.conflictingRequest.message).toBe('Volume Type gold already exists.');
    expect((await test.call('GET', `types/${id}`, { headers: xml })).text).toContain(
      `<volume_type id="${id}" name="gold"><extra_specs><a>b</a></extra_specs></volume_type>`,
    );
    const specs = `types/${id}/extra_specs`;
    expect((await test.call('GET', specs)).status).toBe(403);
    expect((await test.call('POST', specs, { ...admin, body: { extra_specs: { c: 'd' } } })).json).toEqual({
      extra_specs: { c: 'd' },
    });
    expect((await test.call('PUT', `${specs}/c`, { ...admin, body: { c: 'e' } })).json).toEqual({ c: 'e' });
    expect(
      (await test.call('PUT', `${specs}/x`, { ...admin, body: { c: 'e' } })).json.badRequest.message,
    ).toBe('Request body and URI mismatch');
    expect((await test.call('GET', `${specs}/c`, admin)).json).toEqual({ c: 'e' });
    expect((await test.call('DELETE', `${specs}/c`, admin)).status).toBe(202);
    expect((await test.call('GET', `${specs}/c`, admin)).status).toBe(404);
    const volume = await made('available', { volume_type: 'gold' });
    expect((await test.call('DELETE', `types/${id}`, admin)).status).toBe(202);
    expect((await test.call('GET', `volumes/${volume}`)).json.volume.volume_type).toBe(String(id));
    expect((await test.call('GET', 'types/99')).status).toBe(404);
  });

  it('keeps a key without a text, and names the type by its number until the next answer', async () => {
    const type = await test.call('POST', 'types', { body: { volume_type: { name: 'tin' } }, admin: true });
    // As python-cinderclient 1.0.2 reads `--metadata k=v`.
    const metadata = { k: null, '': '', v: null };
    const body = { volume: { size: 1, volume_type: 'tin', metadata } };
    const { volume } = (await test.call('POST', 'volumes', { body })).json;
    expect(volume).toMatchObject({ volume_type: String(type.json.volume_type.id), metadata: {} });
    const shown = (await test.call('GET', `volumes/${volume.id}`)).json.volume;
    expect(shown).toMatchObject({ volume_type: 'tin', metadata });
    const xml = await test.call('GET', `volumes/${volume.id}`, { headers: { accept: 'application/xml' } });
    expect(xml.text).toContain('<meta key="k">None</meta>');
    expect(
      (await test.call('POST', 'volumes', { body: { volume: { size: 1, metadata: { k: {} } } } })).status,
    ).toBe(400);
  });

  it('answers any value in any place of a body with a fault of the caller', async () => {
    const id = await made();
    const places: [path: string, key: string, good: Record<string, unknown>][] = [
      [
        'volumes',
        'volume',
        { size: 1, display_name: 'n', snapshot_id: null, volume_type: null, metadata: {}, imageRef: null },
      ],
      ['snapshots', 'snapshot', { volume_id: id, display_name: 'n', force: true }],
      ['types', 'volume_type', { name: 'n', extra_specs: {} }],
      ['types/1/extra_specs', 'extra_specs', { a: 'b' }],
      [`volumes/${id}/action`, 'os-reset_status', { status: 'available' }],
      [
        `volumes/${id}/action`,
        'os-volume_upload_image',
        { image_name: '', disk_format: 'raw', force: false },
      ],
      [`volumes/${id}/action`, 'os-force_delete', {}],
    ];
    for (const [path, key, good] of places) {
      const bodies = BAD.flatMap(value => [
        { [key]: value },
        ...Object.keys(good).map(field => ({ [key]: { ...good, [field]: value } })),
      ]);
      for (const body of bodies) {
        const { status } = await test.call('POST', path, { body, admin: true });
        expect([path, body, status < 500]).toEqual([path, body, true]);
      }
    }
    for (const bad of ['%00', '%ff', 'x'.repeat(2_000), '..%2f..', '%F0%9F%90%9F', "' or 1=1"])
      for (const path of ['volumes', 'snapshots', 'types'])
        expect((await test.call('GET', `${path}/${bad}`)).status).toBeGreaterThanOrEqual(400);
  });

  it('has no place for what the original had none', async () => {
    expect((await test.call('PUT', `volumes/x`, { body: { volume: {} } })).status).toBe(404);
    const { status, text } = await test.call('GET', 'limits');
    expect([status, text]).toEqual([404, '404 Not Found\n\nThe resource could not be found.\n\n   ']);
    expect((await test.call('GET', '/v1/', { token: 'nobody' })).status).toBe(401);
  });

  it('pages for users, and leaves nothing of a list with a filter nobody knew', async () => {
    const all = (await test.call('GET', 'volumes')).json.volumes as { id: string }[];
    const page = (await test.call('GET', 'volumes?limit=2&offset=1')).json.volumes as { id: string }[];
    expect(page.map(({ id }) => id)).toEqual(all.slice(1, 3).map(({ id }) => id));
    expect((await test.call('GET', 'volumes?status=available')).json.volumes).toEqual([]);
    expect((await test.call('GET', 'volumes?limit=1&all_tenants=1', { admin: true })).json.volumes).toEqual(
      [],
    );
    const every = await test.call('GET', 'volumes?all_tenants=1', { admin: true });
    const ids = every.json.volumes.map((volume: { id: string }) => volume.id);
    expect(ids).toEqual(expect.arrayContaining(all.map(({ id }) => id)));
    expect((await test.call('GET', 'volumes?limit=x')).status).toBe(400);
  });
});

describe("the compute API's volumes", () => {
  let test: TestApi;
  beforeAll(async () => {
    test = await startTestApi();
  });
  afterAll(() => test.stop());

  it('are the same under other names', async () => {
    const { status, json } = await test.call('POST', 'os-volumes', {
      body: { volume: { size: 1, display_name: 'cv', metadata: { k: 'v' } } },
    });
    expect(status).toBe(200);
    expect(json.volume).toMatchObject({
      displayName: 'cv',
      attachments: [{}],
      volumeType: null,
      snapshotId: null,
    });
    const { id } = json.volume;
    const shown = await test.call('GET', `os-volumes/${id}`, { headers: xml });
    expect(shown.text).toContain(
      '<attachments><attachment/></attachments><metadata><meta key="k">v</meta></metadata>',
    );
    await test.db.knex('volumes').where({ id }).update({ status: 'available', host: 'node1' });
    const body = { snapshot: { volume_id: id, force: true } };
    const { json: made } = await test.call('POST', 'os-snapshots', { body });
    expect(made.snapshot).toMatchObject({ volumeId: id, displayName: null });
    expect((await test.call('GET', 'os-snapshots/detail')).json.snapshots).toHaveLength(1);
    expect((await test.call('GET', 'os-volumes/detail')).json.volumes).toHaveLength(1);
    expect((await test.call('DELETE', `os-snapshots/${made.snapshot.id}`)).status).toBe(400);
  });

  it('have types, which administrators make', async () => {
    const body = { volume_type: { name: 'fast', extra_specs: {} } };
    expect((await test.call('POST', 'os-volume-types', { body })).status).toBe(403);
    const { json } = await test.call('POST', 'os-volume-types', { admin: true, body });
    expect(json.volume_type).toMatchObject({ name: 'fast', deleted: false, extra_specs: {} });
    const specs = `os-volume-types/${json.volume_type.id}/extra_specs`;
    expect((await test.call('POST', specs, { body: { extra_specs: { a: 'b' } } })).status).toBe(403);
    await test.call('POST', specs, { admin: true, body: { extra_specs: { a: 'b' } } });
    expect((await test.call('GET', `${specs}/a`)).json).toEqual({ a: 'b' });
    expect(
      (await test.call('DELETE', `os-volume-types/${json.volume_type.id}`, { admin: true })).status,
    ).toBe(200);
  });
});
