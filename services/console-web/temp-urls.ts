import { createHmac } from 'node:crypto';
import { must } from '@folsom/core';
import type { App } from '@folsom/http';
import { fault } from './faults.ts';
import { bodyOf } from './session-routes.ts';
import type { Console } from './shared.ts';

const HOURS_MAX = 24 * 366;
const HEADER = 'x-account-meta-temp-url-key';

/** Signs an address of an object for people without a login. The account's key stays here; one is made where there is none. */
export function tempUrlRoutes(app: App, web: Console): void {
  app.server.post('/api/temp-urls', { config: { name: 'temporary url' } }, async (request, reply) => {
    const { access, ended } = must(web.sessionOf(request), 'the request has a session');
    const { container, object, method, hours } = bodyOf(request, ['container', 'object', 'method', 'hours']);
    const long = Number(hours);
    const known = method === 'GET' || method === 'PUT';
    if (!known || !(long > 0 && long <= HOURS_MAX) || !isName(container) || !isName(object))
      throw fault('BadRequest');
    const base = access.endpoints['object-store'];
    if (base === undefined) throw fault('NoSuchService');
    const exchange = async (verb: string, headers: Record<string, string>) => {
      try {
        const answer = await web.door.request(base, {
          method: verb,
          headers: { 'x-auth-token': access.token, ...headers },
          signal: ended.signal,
        });
        answer.body.resume();
        return answer;
      } catch (error) {
        throw fault('Unreachable', { service: 'object-store' }, { cause: error });
      }
    };
    const found = (await exchange('HEAD', {})).headers[HEADER];
    let key = typeof found === 'string' ? found : '';
    if (key === '') {
      key = web.world.random.bytes(24).toString('base64url');
      const { status } = await exchange('POST', { [HEADER]: key });
      if (status >= 300) throw fault('NoTempUrl');
    }
    const url = new URL(`${base}/${encodeURIComponent(container)}/${objectPath(object)}`);
    const expires = Math.floor(web.world.clock.now() / 1000 + long * 3600);
    const signed = `${method}\n${expires}\n${decodeURIComponent(url.pathname)}`;
    const signature = createHmac('sha1', key).update(signed).digest('hex');
    const answer = {
      url: `${url.origin}${url.pathname}?temp_url_sig=${signature}&temp_url_expires=${expires}`,
      expires,
    };
    return reply
      .header('cache-control', 'no-store')
      .type('application/json')
      .send(Buffer.from(JSON.stringify(answer)));
  });
}

/** Whether an address can name it: dot segments would mean something else to whoever opens it, half a character has no bytes. */
const isName = (name: string): boolean =>
  name !== '' && name.isWellFormed() && !name.split('/').some(part => part === '.' || part === '..');

const objectPath = (name: string): string => name.split('/').map(encodeURIComponent).join('/');
