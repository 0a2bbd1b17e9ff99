import { operations } from '@folsom/object-proxy/operations';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOurs } from '../conformance/ours.ts';
import { logIn, type Target, targetOf } from '../conformance/target.ts';

let ours: Awaited<ReturnType<typeof startOurs>>;
let target: Target;
beforeAll(async () => {
  ours = await startOurs();
  target = targetOf(
    await logIn(ours.authUrl, 'test:tester', 'testing'),
    await logIn(ours.authUrl, 'test2:tester2', 'testing2'),
  );
});
afterAll(async () => {
  target.close();
  await ours.stop();
});

const GARBAGE = { 'x-auth-token': 'AUTH_tk00000000000000000000000000000000' };

/** Every declared operation by everybody, of what is there and of what is not: nobody finds out which. */
it.each(operations)('$name: $may', async ({ method, kind, may }) => {
  for (const there of [true, false]) {
    const container = target.freshName();
    if (there) {
      await target.mustDo('PUT', container);
      await target.mustDo('PUT', `${container}/o`, { body: 'secret' });
    }
    const path = { account: '', container, object: `${container}/o` }[kind];
    const headers: Record<string, string> = method === 'COPY' ? { destination: `${container}/to` } : {};
    const anonymous = [
      await target.ask(method, path, { as: 'nobody', headers }),
      await target.ask(method, path, { as: 'nobody', headers: { ...headers, ...GARBAGE } }),
    ];
    for (const { status, text } of anonymous) {
      // An account that nobody may manage has no such method, for whoever asks.
      expect(status).toBe(401);
      expect(text).not.toContain('secret');
    }
    const foreign = await target.ask(method, path, { as: 'other', headers });
    expect(foreign.status).toBe(403);
    expect(foreign.text).not.toContain('secret');
    const own = await target.ask(method, path, { headers });
    if (may === 'reseller') expect([403, 405]).toContain(own.status);
    else expect([401, 403]).not.toContain(own.status);
    await target.sweep(container);
  }
});
