import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CallOptions, imageHeaders, startThrowaway, type Throwaway } from './throwaway.ts';

let image: Throwaway;
beforeAll(async () => {
  image = await startThrowaway();
});
afterAll(() => image.stop());

const NONE = '00000000-0000-0000-0000-000000000000';
type Refused = [status: number, method: string, path: string, options?: CallOptions];

async function expectRefused(requests: readonly Refused[]): Promise<void> {
  for (const [status, method, path, options] of requests) {
    const answer = await image.call(method, path, options);
    expect([method, path, options, answer.status]).toEqual([method, path, options, status]);
  }
  expect([...image.undeclared]).toEqual([]);
}

it('what the image API and the registry refuse is declared by the operation that refuses it', async () => {
  const made = await image.call('POST', '/v1/images', { headers: imageHeaders({}), body: 'data' });
  const { id } = made.json().image as { id: string };
  const queued = (await image.call('POST', '/v1/images', { headers: imageHeaders({}) })).json().image
    .id as string;
  const kept = await image.call('POST', '/v1/images', {
    headers: imageHeaders({ protected: 'true' }),
    body: 'x',
  });
  const draft = { 'content-type': 'application/openstack-images-v2.0-json-patch' };
  const json = { 'content-type': 'application/json' };
  await expectRefused([
    [404, 'GET', '/v1/images/new'],
    [400, 'GET', '/v1/images?marker=none'],
    [404, 'HEAD', `/v1/images/${NONE}`],
    [404, 'GET', `/v1/images/${queued}`],
    [404, 'GET', `/v1/images/${id}`, { user: 'bob' }],
    [400, 'POST', '/v1/images', { headers: imageHeaders({ disk_format: 'x' }) }],
    [400, 'POST', '/v1/images', { headers: imageHeaders({ location: 'file:///etc/passwd' }) }],
    [400, 'POST', '/v1/images', { headers: imageHeaders({ store: 'none' }), body: 'x' }],
    [400, 'POST', '/v1/images', { headers: imageHeaders({ checksum: 'x' }), body: 'x' }],
    [409, 'POST', '/v1/images', { headers: imageHeaders({ id }) }],
    [409, 'PUT', `/v1/images/${id}`, { headers: imageHeaders({}), body: 'again' }],
    [404, 'PUT', `/v1/images/${NONE}`, { headers: imageHeaders({ name: 'x' }) }],
    [403, 'DELETE', `/v1/images/${kept.json().image.id}`],
    [404, 'DELETE', `/v1/images/${NONE}`],
    [404, 'GET', `/v1/images/${NONE}/members`],
    [405, 'GET', `/v1/images/${id}/members/x`],
    [404, 'PUT', `/v1/images/${NONE}/members/x`],
    [404, 'DELETE', `/v1/images/${id}/members/none`],
    [400, 'PUT', `/v1/images/${id}/members`, { body: { memberships: 'x' } }],
    [400, 'GET', '/v2/images?marker=none'],
    [400, 'GET', '/v2/images?size_min=x'],
    [400, 'POST', '/v2/images', { body: { name: 5 } }],
    [403, 'POST', '/v2/images', { body: { owner: 'x' } }],
    [409, 'POST', '/v2/images', { body: { id } }],
    [404, 'GET', `/v2/images/${NONE}`],
    [404, 'PATCH', `/v2/images/${NONE}`, { headers: draft, body: '[]' }],
    [400, 'PATCH', `/v2/images/${id}`, { headers: draft, body: '[{}]' }],
    [403, 'PATCH', `/v2/images/${id}`, { headers: draft, body: '[{"remove": "/name"}]' }],
    [409, 'PATCH', `/v2/images/${id}`, { headers: draft, body: '[{"remove": "/none"}]' }],
    [404, 'DELETE', `/v2/images/${NONE}`],
    [403, 'DELETE', `/v2/images/${kept.json().image.id}`],
    [404, 'GET', `/v2/images/${NONE}/file`],
    [
      409,
      'PUT',
      `/v2/images/${id}/file`,
      { headers: { 'content-type': 'application/octet-stream' }, body: 'x' },
    ],
    [404, 'PUT', `/v2/images/${NONE}/tags/x`],
    [400, 'PUT', `/v2/images/${id}/tags/${'x'.repeat(256)}`],
    [404, 'DELETE', `/v2/images/${id}/tags/none`],
    [400, 'GET', `/images?marker=${NONE}`, { to: 'registry' }],
    [404, 'GET', `/images/${NONE}`, { to: 'registry' }],
    [400, 'POST', '/images', { to: 'registry', headers: json, body: '{}' }],
    [409, 'POST', '/images', { to: 'registry', body: { image: { id, name: 'x', status: 'queued' } } }],
    [404, 'PUT', `/images/${NONE}`, { to: 'registry', body: { image: {} } }],
    [400, 'PUT', `/images/${id}`, { to: 'registry', body: { image: { status: 'queued' } } }],
    [404, 'DELETE', `/images/${NONE}`, { to: 'registry' }],
    [404, 'GET', `/images/${NONE}/members`, { to: 'registry' }],
    [404, 'PUT', `/images/${NONE}/members/x`, { to: 'registry' }],
    [404, 'DELETE', `/images/${id}/members/none`, { to: 'registry' }],
  ]);
});
