import { createFlavor } from '@folsom/nova/flavors';
import { recordFault } from '@folsom/nova/instances';
import { eventually } from '@folsom/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ADMIN,
  bootBody,
  DEMO,
  IMAGE,
  makeActive,
  startTestApi,
  type TestApi,
  testImage,
} from './test-api.ts';

describe('servers', () => {
  let test: TestApi;
  beforeAll(async () => {
    test = await startTestApi({
      answers: {
        'compute.get_console_output': () => 'line\u0007one\n',
        'compute.get_vnc_console': () => ({
          token: 't',
          access_url: 'http://x/?token=t',
          host: 'h',
          port: 5900,
          internal_access_path: null,
        }),
        'compute.get_diagnostics': () => ({ memory: 1 }),
        'compute.confirm_resize': () => {
          throw new Error('the instance is being deleted');
        },
      },
    });
  });
  afterAll(() => test.stop());
  beforeEach(async () => {
    test.messages.length = 0;
    await test.db.knex('instances').update({ deleted: 1 });
  });

  const boot = async (more: Record<string, unknown> = {}, options = {}) => {
    const answer = await test.call('POST', 'servers', { body: bootBody(more), ...options });
    expect(answer.status, answer.text).toBe(202);
    return answer.json.server.id as string;
  };
  const sent = (to: string) =>
    test.messages.filter(message => message.to === to).map(message => message.args);
  /** Messages of casts arrive in the next turns of the loop. */
  const told = async (to: string) => {
    await eventually(() => sent(to).length).toBeGreaterThan(0);
    // biome-ignore lint/suspicious/noExplicitAny: tests look into arguments of every shape
    return sent(to)[0] as any;
  };

  it('answers a boot as the original did and hands it to the scheduler', async () => {
    const answer = await test.call('POST', 'servers', {
      body: {
        ...bootBody({
          metadata: { a: '1' },
          personality: [{ path: '/etc/motd', contents: 'aGk=' }],
          user_data: 'IyEvYmluL3No',
          adminPass: 'MyPass',
          accessIPv4: '1.2.3.4',
          config_drive: true,
          'OS-DCF:diskConfig': 'AUTO',
        }),
        'os:scheduler_hints': { same_host: ['x'] },
      },
    });
    expect(answer.status).toBe(202);
    expect(Object.keys(answer.json.server).sort()).toEqual([
      'OS-DCF:diskConfig',
      'adminPass',
      'id',
      'links',
      'security_groups',
    ]);
    expect(answer.json.server).toMatchObject({
      adminPass: 'MyPass',
      'OS-DCF:diskConfig': 'AUTO',
      security_groups: [{ name: 'default' }],
    });
    const { id } = answer.json.server;
    expect(answer.headers.get('location')).toBe(`${test.url}/v2/${DEMO}/servers/${id}`);
    expect(answer.headers.get('content-type')).toBe('application/json');
    const cast = await told('scheduler.run_instance');
    expect(cast).toMatchObject({
      admin_password: 'MyPass',
      injected_files: [['/etc/motd', 'hi']],
      is_first_time: true,
      requested_networks: null,
      filter_properties: { scheduler_hints: { same_host: ['x'] } },
      request_spec: {
        instance_uuids: [id],
        instance_properties: { vm_state: 'building', user_data: 'IyEvYmluL3No', metadata: { a: '1' } },
        instance_type: { flavorid: '1', extra_specs: {} },
        image: { id: IMAGE },
        security_group: ['default'],
      },
    });
    const shown = await test.call('GET', `servers/${id}`);
    expect(shown.json.server).toMatchObject({
      status: 'BUILD',
      progress: 0,
      hostId: '',
      addresses: {},
      accessIPv4: '1.2.3.4',
      config_drive: '1',
      key_name: null,
      metadata: { a: '1' },
      'OS-EXT-STS:task_state': 'scheduling',
      image: { id: IMAGE },
      flavor: { id: '1' },
    });
    expect(shown.json.server).not.toHaveProperty('OS-EXT-SRV-ATTR:host');
  });

  it('boots several at once and gives only the reservation when asked', async () => {
    const answer = await test.call('POST', 'servers', {
      body: bootBody({ min_count: 2, max_count: '3', return_reservation_id: true }),
    });
    expect(answer.json).toEqual({ reservation_id: expect.stringMatching(/^r-[a-z0-9]{8}$/) });
    expect((await test.call('GET', 'servers')).json.servers).toHaveLength(3);
  });

  it('boots the number that fits between min_count and max_count', async () => {
    const fits = await test.call('POST', 'servers', { body: bootBody({ min_count: 1, max_count: 50 }) });
    expect(fits.status).toBe(202);
    expect((await test.call('GET', 'servers')).json.servers).toHaveLength(10);
    const over = await test.call('POST', 'servers', { body: bootBody() });
    expect(over.status).toBe(413);
    expect(over.headers.get('retry-after')).toBe('0');
    expect(over.json.overLimit.message).toBe(
      'Quota exceeded for instances: Requested 1, but already used 10 of 10 instances',
    );
  });

  it('reads XML and writes XML', async () => {
    const answer = await test.call('POST', 'servers', {
      raw: `<server xmlns="http://docs.openstack.org/compute/api/v1.1" name="x" imageRef="${IMAGE}" flavorRef="1"><metadata><meta key="k">v</meta></metadata></server>`,
      headers: { 'content-type': 'application/xml', accept: 'application/xml' },
    });
    expect(answer.status).toBe(202);
    expect(answer.text).toMatch(/^<\?xml version='1.0' encoding='UTF-8'\?>\n<server .*adminPass="\w{12}"/);
    const list = await test.call('GET', 'servers/detail.xml');
    expect(list.headers.get('content-type')).toBe('application/xml');
    expect(list.text).toContain('<metadata><meta key="k">v</meta></metadata>');
    expect(list.text).toContain('OS-EXT-STS:vm_state="building"');
  });

  it.each([
    [{ name: undefined }, 'Server name is not defined'],
    [{ name: ' ' }, 'Server name is an empty string'],
    [{ name: 'x'.repeat(256) }, 'Server name must be less than 256 characters.'],
    [{ name: 5 }, 'Server name is not a string or unicode'],
    [{ flavorRef: '99' }, 'Invalid flavorRef provided.'],
    [{ imageRef: 'nosuch' }, 'Invalid imageRef provided.'],
    [{ imageRef: '00000000-0000-0000-0000-000000000000' }, 'Can not find requested image'],
    [{ key_name: 'nokey' }, 'Invalid key_name provided.'],
    [{ security_groups: [{ name: 'nosg' }] }, `Security group nosg not found for project ${DEMO}.`],
    [{ user_data: '%%%' }, 'Userdata content cannot be decoded'],
    [{ accessIPv6: 'bad' }, 'accessIPv6 is not proper IPv6 format'],
    [{ metadata: 'x' }, 'Unable to parse metadata key/value pairs.'],
    [{ networks: [{ uuid: 'x' }] }, 'Bad networks format: network uuid is not in proper format (x)'],
    [
      { block_device_mapping: [{ device_name: 'vdb', volume_id: 'v-of-somebody-else' }] },
      'Block Device Mapping is Invalid: failed to get volume v-of-somebody-else.',
    ],
  ])('refuses a boot with %j', async (more, message) => {
    const answer = await test.call('POST', 'servers', { body: bootBody(more) });
    expect(answer.json).toEqual({ badRequest: { message, code: 400 } });
    expect(await test.db.knex('instances').where({ deleted: 0 })).toEqual([]);
  });

  it('lets only administrators name a host, and hides private flavors', async () => {
    await boot({ availability_zone: 'nova:node7' });
    expect((await told('scheduler.run_instance')).filter_properties).not.toHaveProperty('force_hosts');
    test.messages.length = 0;
    await boot({ availability_zone: 'nova:node7' }, { admin: true });
    expect((await told('scheduler.run_instance')).filter_properties.force_hosts).toEqual(['node7']);
    await createFlavor(
      test.db.knex,
      {
        name: 'private',
        flavorid: 'p1',
        memory_mb: 64,
        vcpus: 1,
        root_gb: 0,
        ephemeral_gb: 0,
        swap: 0,
        rxtx_factor: 1,
        is_public: false,
      },
      Date.UTC(2012, 8, 27),
    );
    expect((await test.call('POST', 'servers', { body: bootBody({ flavorRef: 'p1' }) })).status).toBe(400);
    expect((await test.call('GET', 'flavors/p1')).status).toBe(404);
    expect((await test.call('GET', 'flavors/p1', { admin: true })).status).toBe(200);
  });

  it("never shows or touches another tenant's server", async () => {
    const id = await boot();
    const mine = await test.call('GET', `servers/${id}`, { token: 'other' });
    expect(mine.status).toBe(404);
    expect((await test.call('GET', 'servers', { token: 'other' })).json.servers).toEqual([]);
    expect((await test.call('GET', 'servers?all_tenants=1', { token: 'other' })).json.servers).toEqual([]);
    expect((await test.call('DELETE', `servers/${id}`, { token: 'other' })).status).toBe(404);
    const wrong = await test.call('GET', `/v2/${ADMIN}/servers`);
    expect(wrong.json).toEqual({ badRequest: { message: 'Malformed request url', code: 400 } });
    const all = await test.call('GET', 'servers?all_tenants=1', { admin: true });
    expect(all.json.servers.map((server: { id: string }) => server.id)).toEqual([id]);
  });

  it('pages newest first and says where the next page is', async () => {
    for (const name of ['one', 'two', 'three']) await boot({ name });
    const first = await test.call('GET', 'servers?limit=2');
    expect(first.json.servers.map((server: { name: string }) => server.name)).toEqual(['three', 'two']);
    const [next] = first.json.servers_links;
    const second = await test.call('GET', next.href.slice(test.url.length));
    expect(second.json.servers.map((server: { name: string }) => server.name)).toEqual(['one']);
    expect((await test.call('GET', 'servers?limit=0')).json).toEqual({ servers: [] });
    expect((await test.call('GET', 'servers?limit=-1')).status).toBe(400);
    expect((await test.call('GET', 'servers?marker=nosuch')).json.badRequest.message).toBe(
      'marker [nosuch] not found',
    );
  });

  it('filters', async () => {
    const id = await boot({ name: 'web_1' });
    await boot({ name: 'db' });
    const names = async (query: string, admin = false) =>
      (await test.call('GET', `servers?${query}`, { admin })).json.servers?.map(
        (s: { name: string }) => s.name,
      );
    expect(await names('name=^web')).toEqual(['web_1']);
    expect(await names('name=b_1$')).toEqual(['web_1']);
    expect(await names('name=%25')).toEqual([]);
    expect(await names('status=active')).toEqual([]);
    await makeActive(test, id);
    expect(await names('status=ACTIVE')).toEqual(['web_1']);
    expect(await names('flavor=99')).toEqual([]);
    expect(await names('changes-since=2001-01-01T00:00:00Z')).toContain('web_1');
    expect(await names('host=nosuch')).toHaveLength(2);
    expect(await names('host=node1&all_tenants=1', true)).toEqual(['web_1']);
    for (const no of ['False', 'false', '0', 'no', 'off', '']) {
      expect(await names(`deleted=${no}&all_tenants=1`, true)).toHaveLength(2);
      expect(await names(`all_tenants=${no}`, true)).toEqual([]);
    }
    expect(await names('deleted=True&all_tenants=1', true)).not.toContain('web_1');
    expect((await test.call('GET', 'servers?status=bogus')).json.badRequest.message).toBe(
      'Invalid server status: bogus',
    );
    expect((await test.call('GET', 'servers?name=(a%2B)%2B')).status).toBe(400);
  });

  it('are found by their addresses, as administrators ask; a user may not ask for those', async () => {
    const now = '2012-09-27 10:00:00';
    const [networkId] = await test.db.knex('networks').insert({
      ...{ uuid: 'net-6', label: 'six', cidr: '10.6.0.0/24', cidr_v6: 'fd00:6::/64', bridge: 'br6' },
      ...{ injected: 0, multi_host: 0, project_id: DEMO, created_at: now, deleted: 0 },
    });
    const plug = async (uuid: string, last: string, fixed: string) => {
      const row = { instance_uuid: uuid, network_id: networkId, created_at: now, deleted: 0 };
      const address = `02:16:3e:33:44:${last}`;
      const card = { ...row, address, uuid: `card-${last}` };
      const [id] = await test.db.knex('virtual_interfaces').insert(card);
      const flags = { virtual_interface_id: id, allocated: 1, leased: 0, reserved: 0 };
      await test.db.knex('fixed_ips').insert({ ...row, ...flags, address: fixed });
    };
    const [one, two, bare] = [
      await boot({ name: 'one' }),
      await boot({ name: 'two' }),
      await boot({ name: 'bare' }),
    ];
    await plug(one, '5a', '10.6.0.3');
    await plug(two, '5b', '10.6.0.4');
    const found = async (query: string, options = {}) => {
      const answer = await test.call('GET', `servers?${query}`, options);
      expect(answer.status, answer.text).toBe(200);
      return answer.json.servers.map(({ name }: { name: string }) => name).sort();
    };
    const admin = { admin: true };
    const six = (text: string) => `all_tenants=1&ip6=${encodeURIComponent(text)}`;
    expect(await found(six('fd00:6::16:3eff:fe33:445a'), admin)).toEqual(['one']);
    expect(await found(six('fd00:6::.*:445'), admin)).toEqual(['one', 'two']);
    // From its beginning, as an expression; either address does where both are asked for.
    expect(await found(six('.*445b$'), admin)).toEqual(['two']);
    expect(await found(six('445b'), admin)).toEqual([]);
    expect(await found(`${six('.*445b$')}&ip=10.6.0.3`, admin)).toEqual(['one', 'two']);
    expect(await found('all_tenants=1&ip=10\\.6\\.0\\.', admin)).toEqual(['one', 'two']);
    // Of the administrator's own tenant there is none.
    expect(await found('ip6=fd00', admin)).toEqual([]);
    expect((await test.call('GET', `servers?${six('(')}`, admin)).status).toBe(400);
    // For a user the words mean nothing: they are left out, and the rest counts.
    const all = ['bare', 'one', 'two'];
    for (const query of ['ip6=fd00:6::16:3eff:fe33:445a', 'ip6=(', 'ip=10.6.0.3', 'fixed_ip=10.6.0.3'])
      expect([query, await found(query)]).toEqual([query, all]);
    expect(await found('ip6=nothing&name=two')).toEqual(['two']);
    expect((await test.call('GET', `servers/${bare}`)).status).toBe(200);
  });

  it('shows why a server failed, and its inner story only to administrators', async () => {
    const id = await boot();
    await test.db.knex('instances').where({ uuid: id }).update({ vm_state: 'error', task_state: null });
    await recordFault(
      test.db.knex,
      { instance_uuid: id, code: 500, message: 'NoValidHost', details: 'No valid host was found. 2 hosts' },
      Date.UTC(2012, 8, 27),
    );
    const user = await test.call('GET', `servers/${id}`);
    expect(user.json.server.fault).toEqual({
      code: 500,
      created: '2012-09-27T00:00:00Z',
      message: 'NoValidHost',
    });
    const admin = await test.call('GET', `servers/${id}`, { admin: true });
    expect(admin.json.server.fault.details).toMatch(/2 hosts/);
    expect(admin.json.server['OS-EXT-SRV-ATTR:instance_name']).toMatch(/^instance-[0-9a-f]{8}$/);
  });

  it.each([
    ['reboot', { type: 'SOFT' }, 'compute.reboot_instance', 'rebooting'],
    ['reboot', { type: 'hard' }, 'compute.reboot_instance', 'rebooting_hard'],
    ['changePassword', { adminPass: 'x' }, 'compute.set_admin_password', 'updating_password'],
    ['rebuild', { imageRef: IMAGE }, 'compute.rebuild_instance', 'rebuilding'],
    ['resize', { flavorRef: '2' }, 'scheduler.prep_resize', 'resize_prep'],
    ['createImage', { name: 'snap' }, 'compute.snapshot_instance', 'image_snapshot'],
    [
      'createBackup',
      { name: 'b', backup_type: 'daily', rotation: 1 },
      'compute.snapshot_instance',
      'image_backup',
    ],
    ['pause', null, 'compute.pause_instance', 'pausing'],
    ['suspend', null, 'compute.suspend_instance', 'suspending'],
    ['os-stop', null, 'compute.stop_instance', 'stopping'],
    ['rescue', null, 'compute.rescue_instance', 'rescuing'],
    ['migrate', null, 'scheduler.prep_resize', 'resize_prep'],
  ])('%s %j goes to %s once', async (action, body, message, state) => {
    const id = await boot({}, { admin: true });
    await makeActive(test, id);
    const run = () => test.call('POST', `servers/${id}/action`, { body: { [action]: body }, admin: true });
    const [first, second] = await Promise.all([run(), run()]);
    const statuses = [first.status, second.status].sort();
    expect(statuses[0], first.text).toBeLessThan(300);
    // Of two at the same moment one is told that the other was first.
    expect([400, 409]).toContain(statuses[1]);
    await told(message);
    expect(sent(message)).toHaveLength(1);
    const row = (await test.db.knex('instances').where({ uuid: id }).first())!;
    expect(row.task_state).toBe(state);
  });

  it.each([
    ['unpause', 'paused', 409],
    ['resume', 'suspended', 409],
    ['unrescue', 'rescued', 409],
    ['confirmResize', 'resized', 409],
    ['os-start', 'stopped', 400],
  ])('%s only from %s', async (action, _state, status) => {
    const id = await boot();
    await makeActive(test, id);
    const answer = await test.call('POST', `servers/${id}/action`, { body: { [action]: null } });
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(/vm_state active/);
  });

  it('deletes a resized server without waiting for where it came from', async () => {
    const id = await boot();
    await makeActive(test, id);
    await test.db.knex('instances').where({ uuid: id }).update({ vm_state: 'resized' });
    const flavors = { old_instance_type_id: 1, new_instance_type_id: 2 };
    const hosts = { source_compute: 'node1', dest_compute: 'node1' };
    await test.db
      .knex('migrations')
      .insert({ ...flavors, ...hosts, instance_uuid: id, status: 'finished', deleted: 0 });
    expect((await test.call('DELETE', `servers/${id}`)).status).toBe(204);
    expect(sent('compute.confirm_resize')).toEqual([]);
    expect(await test.db.knex('migrations').select('status')).toEqual([{ status: 'confirmed' }]);
    await told('network.deallocate_for_instance');
  });

  it('keeps a locked server from its owner, not from administrators', async () => {
    const id = await boot();
    await makeActive(test, id);
    await test.db.knex('instances').where({ uuid: id }).update({ locked: 1 });
    expect((await test.call('POST', `servers/${id}/action`, { body: { pause: null } })).status).toBe(409);
    const kept = await test.call('DELETE', `servers/${id}`);
    expect([kept.status, kept.json.conflictingRequest.message]).toEqual([409, `Instance ${id} is locked`]);
    expect((await test.call('POST', `servers/${id}/action`, { body: { lock: null } })).status).toBe(403);
  });

  it('shows why a move did not come about, until something else happens', async () => {
    const id = await boot();
    await makeActive(test, id);
    const shown = async () => (await test.call('GET', `servers/${id}`)).json.server.fault;
    expect(await shown()).toBeUndefined();
    const message = 'NoValidHost: no host could take it, it stays as it was';
    const why = { instance_uuid: id, code: 500, message, details: 'who refused' };
    await recordFault(test.db.knex, why, Date.now());
    expect(await shown()).toEqual({ code: 500, message, created: expect.any(String) });
    await test.db.knex('instances').where({ uuid: id }).update({ updated_at: '2099-01-01 00:00:00' });
    expect(await shown()).toBeUndefined();
  });

  it('gives image, console and screen', async () => {
    const id = await boot();
    const action = (body: unknown) => test.call('POST', `servers/${id}/action`, { body });
    expect((await action({ 'os-getVNCConsole': { type: 'novnc' } })).status).toBe(409);
    await makeActive(test, id);
    expect((await action({ 'os-getConsoleOutput': { length: 5 } })).json).toEqual({ output: 'lineone\n' });
    expect((await action({ 'os-getConsoleOutput': { length: 'x' } })).status).toBe(400);
    expect((await action({ 'os-getVNCConsole': { type: 'novnc' } })).json).toEqual({
      console: { type: 'novnc', url: 'http://x/?token=t' },
    });
    expect(sent('consoleauth.authorize_console')[0]).toMatchObject({ token: 't', instance_uuid: id });
    const image = await action({ createImage: { name: 'snap', metadata: { k: 'v' } } });
    expect(image.headers.get('location')).toMatch(new RegExp(`/v2/${DEMO}/images/`));
    expect([...test.images.values()].at(-1)?.properties).toMatchObject({
      instance_uuid: id,
      image_type: 'snapshot',
      k: 'v',
    });
    const diagnostics = await test.call('GET', `servers/${id}/diagnostics`);
    expect(diagnostics.status).toBe(403);
  });

  it('deletes: at once without a host, by its host when that is up, in the database when it is down', async () => {
    const unplaced = await boot();
    expect((await test.call('DELETE', `servers/${unplaced}`)).status).toBe(204);
    expect((await test.call('GET', `servers/${unplaced}`)).status).toBe(404);

    const service = {
      host: 'node1',
      binary: 'nova-compute',
      topic: 'compute',
      report_count: 1,
      deleted: 0,
      disabled: 0,
    };
    const now = new Date().toISOString().slice(0, 19).replace('T', ' ');
    await test.db.knex('services').insert({ ...service, created_at: now, updated_at: now });
    const placed = await boot();
    await makeActive(test, placed);
    expect((await test.call('DELETE', `servers/${placed}`)).status).toBe(204);
    expect((await told('compute.terminate_instance')).instance.uuid).toBe(placed);
    expect((await test.call('DELETE', `servers/${placed}`)).status).toBe(204);

    await test.db.knex('services').update({ updated_at: '2001-01-01 00:00:00' });
    test.messages.length = 0;
    const orphan = await boot();
    await makeActive(test, orphan);
    expect((await test.call('DELETE', `servers/${orphan}`)).status).toBe(204);
    expect((await test.call('GET', `servers/${orphan}`)).status).toBe(404);
    await told('network.deallocate_for_instance');
  });

  it('keeps metadata by key', async () => {
    const id = await boot({ metadata: { a: '1' } });
    const at = `servers/${id}/metadata`;
    expect((await test.call('POST', at, { body: { metadata: { b: '2' } } })).json).toEqual({
      metadata: { a: '1', b: '2' },
    });
    expect((await test.call('PUT', `${at}/a`, { body: { meta: { a: '9' } } })).json).toEqual({
      meta: { a: '9' },
    });
    expect((await test.call('PUT', `${at}/a`, { body: { meta: { z: '9' } } })).json.badRequest.message).toBe(
      'Request body and URI mismatch',
    );
    expect((await test.call('DELETE', `${at}/a`)).status).toBe(204);
    expect((await test.call('GET', at)).json).toEqual({ metadata: { b: '2' } });
    expect((await test.call('PUT', at, { body: { metadata: {} } })).json).toEqual({ metadata: {} });
    const many = Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`k${n}`, 'v']));
    const over = await test.call('POST', at, { body: { metadata: many } });
    expect(over.status).toBe(413);
    expect(over.headers.get('retry-after')).toBe('0');
  });

  it('renames, and refuses what cannot be changed', async () => {
    const id = await boot();
    const renamed = await test.call('PUT', `servers/${id}`, { body: { server: { name: ' new ' } } });
    expect(renamed.json.server.name).toBe('new');
    expect((await test.call('PUT', `servers/${id}`, { body: { server: { hostId: 'x' } } })).status).toBe(400);
    expect((await test.call('PUT', `servers/${id}`, { body: [] })).status).toBe(422);
  });

  it('refuses a flavor that is too small for the image', async () => {
    const big = '33e03ebe-e1fd-41f9-b59e-9a411e9e2780';
    test.images.set(big, testImage(big, { min_ram: 1_000_000 }));
    const answer = await test.call('POST', 'servers', { body: bootBody({ imageRef: big }) });
    expect(answer.json.badRequest.message).toBe("Instance type's memory is too small for requested image.");
  });
});
