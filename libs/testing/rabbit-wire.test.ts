import { createLogger, Fault, requestContext, systemClock, systemRandom } from '@folsom/core';
import { type Bus, createNotifier, createRabbitBus, type RabbitOptions, RPC_LIMITS } from '@folsom/rpc';
import amqp, { type Channel, type ChannelModel, type ConsumeMessage, type GetMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './eventually.ts';
import { freePort, type RabbitServer, rabbitOptions, serverMissing, startRabbit } from './index.ts';

/** The bus as peers of 2012 see it: they stand here as bare AMQP clients that do exactly what kombu did. */
describe.skipIf(serverMissing('rabbit'))('on the wire', { timeout: 120_000 }, () => {
  let broker: RabbitServer;
  let peer: ChannelModel;
  let channel: Channel;
  const buses: Bus[] = [];
  const lines: string[] = [];
  const context = requestContext({ userId: 'u', projectId: 'p', roles: ['Member'], authToken: 'MARKED' });

  const bus = (options: Partial<RabbitOptions> = {}): Bus => {
    const made = createRabbitBus({
      options: { ...rabbitOptions(broker.port), ...options },
      world: {
        clock: systemClock,
        random: systemRandom,
        log: createLogger({ level: 'debug', write: line => lines.push(line) }),
      },
    });
    buses.push(made);
    return made;
  };

  beforeAll(async () => {
    broker = await startRabbit();
    peer = await amqp.connect(broker.url);
    channel = await peer.createChannel();
  }, 240_000);
  afterAll(async () => {
    for (const made of buses) await made.close();
    await peer?.close().catch(() => {});
    await broker?.stop();
  }, 240_000);

  const table = async (...args: string[]) =>
    (await broker.ctl(...args))
      .trim()
      .split('\n')
      .slice(1)
      .map(line => line.split('\t'));

  /** What a Folsom caller declares and publishes; resolves with its replies up to the ending or a failure. */
  async function folsomCall(
    topic: string,
    body: Record<string, unknown>,
  ): Promise<Record<string, unknown>[]> {
    const msgId = systemRandom.hex(32);
    const replies: Record<string, unknown>[] = [];
    await channel.assertExchange(msgId, 'direct', { durable: false, autoDelete: true });
    await channel.assertQueue(msgId, { durable: false, autoDelete: true, exclusive: true });
    await channel.bindQueue(msgId, msgId, msgId);
    const done = new Promise<void>(resolve => {
      void channel.consume(msgId, message => {
        if (message === null) return;
        channel.ack(message);
        const reply = JSON.parse(message.content.toString()) as Record<string, unknown>;
        replies.push(reply);
        if (reply.ending === true || reply.failure) resolve();
      });
    });
    publish(topic, { ...body, _msg_id: msgId, _context_user_id: 'u', _context_is_admin: true });
    await done;
    return replies;
  }

  const publish = (key: string, body: unknown, exchange = 'nova') =>
    channel.publish(exchange, key, Buffer.from(JSON.stringify(body)), {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      deliveryMode: 2,
    });

  /** A Folsom server on a topic: acknowledges, then replies into the caller's own exchange. */
  async function folsomServer(topic: string, answer: (body: Record<string, unknown>) => unknown[]) {
    const own = await peer.createChannel();
    const seen: { body: Record<string, unknown>; message: ConsumeMessage }[] = [];
    await own.assertExchange('nova', 'topic', { durable: false, autoDelete: false });
    await own.assertQueue(topic, { durable: false, autoDelete: false, exclusive: false });
    await own.bindQueue(topic, 'nova', topic);
    await own.consume(topic, async message => {
      if (message === null) return;
      own.ack(message);
      const body = JSON.parse(message.content.toString()) as Record<string, unknown>;
      seen.push({ body, message });
      const msgId = body._msg_id as string | undefined;
      if (msgId === undefined) return;
      await own.assertExchange(msgId, 'direct', { durable: false, autoDelete: true });
      for (const reply of answer(body)) {
        own.publish(msgId, msgId, Buffer.from(JSON.stringify(reply)), { contentType: 'application/json' });
      }
    });
    return seen;
  }

  it('declares the exchanges and queues of Folsom with its flags', async () => {
    await bus().serve({ topic: 'compute', host: 'h1', handlers: {} });
    const exchanges = await table('list_exchanges', 'name', 'type', 'durable', 'auto_delete');
    expect(exchanges).toContainEqual(['nova', 'topic', 'false', 'false']);
    expect(exchanges).toContainEqual(['compute_fanout', 'fanout', 'false', 'true']);
    const queues = await table('list_queues', 'name', 'durable', 'auto_delete', 'exclusive');
    expect(queues).toContainEqual(['compute', 'false', 'false', 'false']);
    expect(queues).toContainEqual(['compute.h1', 'false', 'false', 'false']);
    const fanout = queues.find(([name]) => name?.startsWith('compute_fanout_'));
    expect(fanout).toEqual([expect.stringMatching(/^compute_fanout_[0-9a-f]{32}$/), 'false', 'true', 'true']);
    const bindings = await table('list_bindings', 'source_name', 'destination_name', 'routing_key');
    for (const name of ['compute', 'compute.h1']) expect(bindings).toContainEqual(['nova', name, name]);
    expect(bindings).toContainEqual(['compute_fanout', fanout![0], 'compute']);
  });

  it('declares durable ones where told so', async () => {
    const options = { control_exchange: 'durable_nova', rabbit_durable_queues: true };
    await bus(options).serve({ topic: 'durable', host: 'h', handlers: {} });
    expect(await table('list_exchanges', 'name', 'durable')).toContainEqual(['durable_nova', 'true']);
    expect(await table('list_queues', 'name', 'durable')).toContainEqual(['durable', 'true']);
  });

  it('keeps queues on most of a cluster where told so, and asks the broker that is there', async () => {
    const dead = `127.0.0.1:${await freePort()}`;
    const own = bus({
      control_exchange: 'quorum_nova',
      rabbit_quorum_queues: true,
      rabbit_hosts: [dead, `${broker.host}:${broker.port}`],
    });
    let failures = 1;
    const heard: number[] = [];
    const handlers = {
      note: async (_context: unknown, { x }: { x: number }) => {
        if (failures-- > 0) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
        heard.push(x);
      },
    };
    const recovery = { passing: () => 'brief' as const };
    await own.serve({ topic: 'quorum', host: 'h', handlers: handlers as never, recovery });
    await own.cast(context, 'quorum', { method: 'note', args: { x: 7 } });
    await own.cast(context, 'quorum', { method: 'note', args: { x: 8 } });
    // The first comes again by way of a queue of waiting messages.
    await eventually(() => heard.toSorted()).toEqual([7, 8]);
    const queues = await table('list_queues', 'name', 'type', 'durable');
    for (const name of ['quorum', 'quorum.h']) expect(queues).toContainEqual([name, 'quorum', 'true']);
    expect(
      queues.filter(([name, type]) => name?.startsWith('quorum_fanout_') && type === 'classic'),
    ).toHaveLength(1);
  });

  it('answers a Folsom caller with result and ending, versions and without', async () => {
    await bus().serve({
      topic: 'network',
      host: 'h1',
      version: '1.0',
      handlers: {
        echo: ((by: { userId: string }, args: { x: number }) => ({ by: by.userId, x: args.x })) as never,
      },
    });
    for (const version of [undefined, '1.0', null]) {
      const body = { method: 'echo', args: { x: 1 }, ...(version === undefined ? {} : { version }) };
      expect(await folsomCall('network', body)).toEqual([
        { result: { by: 'u', x: 1 }, failure: null },
        { result: null, failure: null, ending: true },
      ]);
    }
    expect((await folsomCall('network.h1', { method: 'echo', args: { x: 2 } }))[0]).toMatchObject({
      failure: null,
    });
    expect((await folsomCall('network', { args: {} }))[0]?.result).toMatch(/^No method for message/);
  });

  it('tells a Folsom caller of a failure in its form, once', async () => {
    await bus().serve({
      topic: 'cert',
      host: 'h1',
      version: '1.0',
      handlers: {
        fail: () => {
          throw new Fault('InstanceNotFound', 404, 'Instance 7 could not be found.', {
            values: { instance_id: 7 },
            module: 'nova.exception',
          });
        },
        bug: () => {
          throw new TypeError('x');
        },
      },
    });
    const replies = await folsomCall('cert', { method: 'fail', args: {} });
    expect(replies).toHaveLength(1);
    expect(Object.keys(replies[0]!).sort()).toEqual(['failure', 'result']);
    const failure = JSON.parse(replies[0]!.failure as string);
    expect(Object.keys(failure).sort()).toEqual(['args', 'class', 'kwargs', 'message', 'module', 'tb']);
    expect(failure).toMatchObject({
      class: 'InstanceNotFound',
      module: 'nova.exception',
      message: 'Instance 7 could not be found.',
      args: ['Instance 7 could not be found.'],
      kwargs: { instance_id: 7, code: 404 },
    });
    const bug = JSON.parse((await folsomCall('cert', { method: 'bug', args: {} }))[0]!.failure as string);
    expect(bug).toMatchObject({ class: 'TypeError', module: 'exceptions', message: 'x' });
    const [wrong] = await folsomCall('cert', { method: 'fail', args: {}, version: '9.0' });
    expect(JSON.parse(wrong!.failure as string)).toMatchObject({
      class: 'UnsupportedRpcVersion',
      module: 'nova.openstack.common.rpc.common',
    });
  });

  it('survives a caller that has gone, and messages that are none', async () => {
    await bus().serve({ topic: 'tough', host: 'h1', handlers: { echo: () => 'fine' } });
    publish('tough', { method: 'echo', args: {}, _msg_id: 'f'.repeat(32) });
    for (const text of ['{', '[]', '7', '', '"x"']) channel.publish('nova', 'tough', Buffer.from(text));
    publish('tough', { method: 'echo', args: 'no object', _msg_id: 5 });
    expect((await folsomCall('tough', { method: 'echo', args: {} }))[0]).toEqual({
      result: 'fine',
      failure: null,
    });
  });

  it('calls a Folsom server: body, properties, several results, failures, no answer', async () => {
    const seen = await folsomServer('volume.old', body => {
      const ending = { result: null, failure: null, ending: true };
      if (body.method === 'many') return [{ result: 1, failure: null }, { result: 2, failure: null }, ending];
      if (body.method === 'nothing') return [ending];
      const failure = {
        class: 'VolumeNotFound',
        module: body.method === 'fail' ? 'nova.exception' : 'exceptions',
        message: 'Volume 5 could not be found.',
        tb: ['Traceback (most recent call last):\n'],
        args: [],
        kwargs: { volume_id: 5, code: 404 },
      };
      return [{ result: null, failure: JSON.stringify(failure) }];
    });
    const own = bus();
    const ask = (method: string) => own.call(context, 'volume.old', { method, args: { a: [1] } });
    expect(await ask('many')).toBe(2);
    expect(await ask('nothing')).toBeNull();
    await expect(ask('fail')).rejects.toMatchObject({
      name: 'VolumeNotFound',
      status: 404,
      values: { volume_id: 5 },
    });
    await expect(ask('odd')).rejects.toMatchObject({
      name: 'RemoteError',
      values: { exc_type: 'VolumeNotFound' },
    });
    const [{ body, message } = seen[0]!] = seen;
    expect(body).toMatchObject({ method: 'many', args: { a: [1] }, _context_auth_token: 'MARKED' });
    expect(body._msg_id).toMatch(/^[0-9a-f]{32}$/);
    expect(body).not.toHaveProperty('version');
    expect(message.fields).toMatchObject({ exchange: 'nova', routingKey: 'volume.old' });
    expect(message.properties).toMatchObject({
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      deliveryMode: 2,
    });
    // Kombu's client of then reads texts in headers, and stumbles over a long number.
    expect(
      Object.values(message.properties.headers ?? {}).filter(value => typeof value !== 'string'),
    ).toEqual([]);
    await own.cast(context, 'volume.old', { method: 'go', args: {}, version: '1.0' });
    await eventually(() => seen.at(-1)?.body).toMatchObject({ method: 'go', version: '1.0' });
    expect(seen.at(-1)?.body).not.toHaveProperty('_msg_id');
  });

  it('does not mistake the late answer of a server for that of the next call', async () => {
    const late = Promise.withResolvers<void>();
    const own = await peer.createChannel();
    await own.assertQueue('slow', { durable: false });
    await own.bindQueue('slow', 'nova', 'slow');
    await own.consume('slow', async message => {
      if (message === null) return;
      own.ack(message);
      const body = JSON.parse(message.content.toString()) as { _msg_id: string; args: { x: number } };
      if (body.args.x === 1) await late.promise;
      // The default exchange: the caller's own may be gone, which would close this channel.
      const send = (reply: unknown) => own.sendToQueue(body._msg_id, Buffer.from(JSON.stringify(reply)));
      send({ result: body.args.x, failure: null });
      send({ result: null, failure: null, ending: true });
    });
    const caller = bus();
    await caller.ready();
    const ask = (x: number, timeoutMs: number) =>
      caller.call(context, 'slow', { method: 'm', args: { x } }, { timeoutMs });
    await expect(ask(1, 100)).rejects.toMatchObject({ name: 'RpcTimeout' });
    const second = ask(2, 30_000);
    late.resolve();
    expect(await second).toBe(2);
    expect(await ask(3, 30_000)).toBe(3);
  });

  it('takes a fan-out of a Folsom peer and sends one', async () => {
    const seen: unknown[] = [];
    await bus().serve({
      topic: 'scheduler',
      host: 'h1',
      handlers: {
        update_service_capabilities: ((_: unknown, args: { host: string }) =>
          void seen.push(args.host)) as never,
      },
    });
    publish(
      '',
      { method: 'update_service_capabilities', version: '2.0', args: { host: 'h9' } },
      'scheduler_fanout',
    );
    await eventually(() => seen).toEqual(['h9']);
    await channel.assertQueue('listener', { exclusive: true });
    await channel.bindQueue('listener', 'scheduler_fanout', 'scheduler');
    await bus().fanout(context, 'scheduler', { method: 'update_service_capabilities', args: { host: 'h8' } });
    const got = await channel.get('listener', { noAck: true });
    expect(got && JSON.parse(got.content.toString())).toMatchObject({ args: { host: 'h8' } });
  });

  it('lets notifications pile up in their queues, without secrets', async () => {
    const notify = createNotifier({
      bus: bus(),
      world: { clock: systemClock, random: systemRandom, log: createLogger({ write: () => {} }) },
      publisherId: 'compute.h1',
      drivers: ['nova.openstack.common.notifier.rabbit_notifier'],
      topics: ['notifications', 'monitor'],
    });
    await notify(context, 'compute.instance.create.end', { instance_id: 'i' });
    await notify(context, 'compute.instance.create.error', {}, 'ERROR');
    for (const name of ['notifications.info', 'monitor.info', 'notifications.error']) {
      const got = await channel.get(name, { noAck: true });
      const body = got && JSON.parse(got.content.toString());
      expect(body).toMatchObject({
        publisher_id: 'compute.h1',
        _context_user_id: 'u',
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/),
        message_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      });
      expect(JSON.stringify(body)).not.toContain('MARKED');
    }
  });

  it('logs each call, cast and handler with its request id, and no token', async () => {
    const own = bus();
    await own.serve({ topic: 'traced', host: 'h', handlers: { go: () => null } });
    await own.call(context, 'traced', { method: 'go', args: { new_pass: 'MARKED' } });
    await own.cast(context, 'traced', { method: 'go', args: {} });
    const traced = () =>
      lines
        .map(line => JSON.parse(line))
        .filter(entry => entry.topic === 'traced' && entry.requestId === context.requestId)
        .map(entry => `${entry.rpc} ${entry.method} ${typeof entry.ms}`)
        .sort();
    await eventually(traced).toEqual([
      'call go number',
      'cast go number',
      'handle go number',
      'handle go number',
    ]);
    expect(lines.join('')).not.toContain('MARKED');
  });

  it('works on once when a Folsom peer’s cast is delivered again, and twice when it is sent twice', async () => {
    await broker.ctl('add_vhost', 'apart');
    await broker.ctl('set_permissions', '-p', 'apart', 'guest', '.*', '.*', '.*');
    const own = bus({ rabbit_virtual_host: 'apart' });
    const release = Promise.withResolvers<void>();
    let begun = 0;
    const slow = async () => {
      begun++;
      await release.promise;
    };
    await own.serve({ topic: 'again', host: 'h', handlers: { slow } });
    const other = await amqp.connect(`${broker.url.slice(0, -1)}/apart`);
    other.on('error', () => {});
    const sender = await other.createConfirmChannel();
    const body = Buffer.from(JSON.stringify({ method: 'slow', args: {} }));
    for (let n = 0; n < 2; n++) sender.publish('nova', 'again', body);
    await sender.waitForConfirms();
    await eventually(() => begun).toBe(2);
    await broker.ctl('close_all_connections', '-p', 'apart', 'test');
    const reconnected = () =>
      lines.filter(line => line.includes('connection to the message broker is lost')).length;
    await eventually(reconnected).toBeGreaterThan(0);
    await eventually(() => own.ready().then(() => true)).toBe(true);
    const waiting = async () =>
      (await table('-p', 'apart', 'list_queues', 'name', 'messages')).find(([name]) => name === 'again')?.[1];
    await eventually(waiting).toBe('2');
    expect(begun).toBe(2);
    release.resolve();
    await eventually(waiting).toBe('0');
    expect(begun).toBe(2);
  });

  it('puts a message that is given up among the dead letters, with its reason and without secrets', async () => {
    const given: string[] = [];
    const run_instance = () => {
      throw new Error('no connection to mysql://nova:MARKED@db/nova');
    };
    await bus().serve({
      topic: 'hopeless',
      host: 'h',
      handlers: { run_instance },
      recovery: { passing: () => 'brief', abandoned: async (_, method) => void given.push(method) },
    });
    const properties = { user_data: 'MARKED', uuid: 'i' };
    const args = {
      admin_password: 'MARKED',
      injected_files: [['/etc/motd', 'MARKED']],
      request_spec: { instance_properties: properties },
    };
    const body = { method: 'run_instance', args, _context_auth_token: 'MARKED' };
    // As it comes back after the last but one attempt.
    const headers = { 'x-folsom-attempt': RPC_LIMITS.briefAttemptsMax };
    channel.publish('nova', 'hopeless', Buffer.from(JSON.stringify(body)), { headers });
    await eventually(() => given).toEqual(['run_instance']);
    /** Before the first letter there is no queue, and asking closes the channel. */
    const look = async (): Promise<GetMessage | false> => {
      const own = await peer.createChannel();
      own.on('error', () => {});
      return own.get('folsom.dead_letters', { noAck: true }).catch(() => false as const);
    };
    let letter: GetMessage | false = false;
    await eventually(async () => {
      letter ||= await look();
      return letter !== false;
    }).toBe(true);
    const { content, properties: kept } = letter as unknown as GetMessage;
    expect(kept.headers).toMatchObject({
      'x-folsom-reason': 'no connection to mysql://nova:***@db/nova',
      'x-folsom-queue': 'hopeless',
    });
    expect(JSON.parse(content.toString())).toMatchObject({
      method: 'run_instance',
      args: { injected_files: [['/etc/motd', '***']], request_spec: { instance_properties: { uuid: 'i' } } },
    });
    expect(content.toString()).not.toContain('MARKED');
  });

  it('says what to do when the broker is not there, and gives up only where told so', async () => {
    const away = bus({ rabbit_port: 1 });
    await expect(away.ready()).rejects.toMatchObject({ name: 'RpcUnavailable', status: 503 });
    const giving = bus({ rabbit_port: 1, rabbit_max_retries: 2 });
    await expect(giving.cast(context, 't', { method: 'x', args: {} })).rejects.toMatchObject({
      name: 'RpcUnavailable',
      message: 'The message bus at 127.0.0.1:1 cannot be reached.',
    });
    const refused = bus({ rabbit_password: 'MARKED-wrong' });
    await expect(refused.ready()).rejects.toMatchObject({ name: 'RpcUnavailable' });
    expect(lines.join('')).toContain('cannot reach the message broker');
    expect(lines.join('')).not.toContain('MARKED');
  });

  it('loses nothing of durable queues when the broker restarts', async () => {
    peer.on('error', () => {});
    const options = { control_exchange: 'durable_nova', rabbit_durable_queues: true };
    const sender = bus(options);
    for (let n = 0; n < 20; n++) await sender.cast(context, 'kept', { method: 'go', args: { n } });
    await broker.restart();
    const seen: number[] = [];
    await bus(options).serve({
      topic: 'kept',
      host: 'h',
      handlers: { go: ((_: unknown, args: { n: number }) => void seen.push(args.n)) as never },
    });
    await eventually(() => [...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });
});
