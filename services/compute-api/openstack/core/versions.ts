import { must } from '@folsom/core';
import { type App, type RenderedFault, send } from '@folsom/http';
import { writeXml, XML_DECLARATION, type XmlNode } from '@folsom/wire';
import { NOVA_NS } from '@folsom/wire/nova-xml';
import { attributesOf, children, links, many, one, view } from '@folsom/wire/view';
import type { FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { answerFormat } from '../http/accept.ts';
import { MOUNTS } from '../http/caller.ts';
import { badRequest, plain, renderFault } from '../http/faults.ts';
import { writeDocument } from '../http/front.ts';
import { withPrefix } from '../http/links.ts';

/** What an API says about its one version. */
export interface ApiVersion {
  id: string;
  updated: string;
  /** Where it stands; the first is the one that documents name. */
  mounts: readonly [string, ...string[]];
  mediaTypes: readonly { base: string; type: string }[];
  guide: string;
  wadl: string;
}

/** The compute API. */
export const COMPUTE_VERSION: ApiVersion = {
  id: 'v2.0',
  updated: '2011-01-21T11:33:21Z',
  mounts: MOUNTS,
  mediaTypes: [
    { base: 'application/xml', type: 'application/vnd.openstack.compute+xml;version=2' },
    { base: 'application/json', type: 'application/vnd.openstack.compute+json;version=2' },
  ],
  guide: 'http://docs.openstack.org/api/openstack-compute/1.1/os-compute-devguide-1.1.pdf',
  wadl: 'http://docs.openstack.org/api/openstack-compute/1.1/wadl/os-compute-1.1.wadl',
};

interface VersionLink {
  rel: string;
  href: string;
  type?: string;
}
interface ShownVersion {
  id: string;
  status: string;
  updated?: string;
  links: VersionLink[];
  mediaTypes?: ApiVersion['mediaTypes'];
}
type MediaType = ApiVersion['mediaTypes'][number];

const mediaType = view<[MediaType]>('media-type', attributesOf<MediaType>('base', 'type'));
const version = view<[ShownVersion]>('version', {
  ...attributesOf<ShownVersion>('id', 'status', 'updated'),
  'media-types': children(mediaType, ({ mediaTypes }) => mediaTypes, { ifAny: true }),
  links: links(item => item.links),
});
const namespaces = { '': NOVA_NS.common, atom: NOVA_NS.atom };
const shown = one(version, { namespaces });
const listed = many(version, { namespaces });
const choices = many(version, { namespaces, tag: 'choices' });

/** The documents at `/` and at each mount, and what is answered everywhere else. */
export function mountVersions(app: App, api: ApiVersion, linkPrefix: string | null): void {
  const host: HostOf = request =>
    withPrefix(`${request.protocol}://${request.headers.host ?? 'localhost'}`, linkPrefix);
  mountRoot(app, api, host);
  for (const mount of api.mounts) {
    mountNothing(app, mount);
    mountVersion(app, api, mount, host);
  }
  mountChoices(app, api, host);
}

type HostOf = (request: FastifyRequest) => string;

const itemOf = ({ id, updated }: ApiVersion, own: VersionLink[]) => ({
  id,
  status: 'CURRENT',
  updated,
  links: own,
});

function mountRoot(app: App, api: ApiVersion, host: HostOf): void {
  app.server.get('/', { config: { name: 'versions', public: true } }, async (request, reply) => {
    const item = itemOf(api, [{ rel: 'self', href: `${host(request)}/${api.mounts[0]}/` }]);
    if (wantsAtom(request)) return atom(reply, 'Available API Versions', `${host(request)}/`, [item]);
    const as = answerFormat(request.url, request.headers.accept);
    return writeDocument(reply.code(200), listed.json([item]), listed.xml, as);
  });
  app.server.post('/', { config: { name: 'versions', public: true } }, async () => {
    throw badRequest();
  });
}

/** Nothing there either, but only those who have logged in are told. */
function mountNothing(app: App, mount: string): void {
  const nothing = async (request: FastifyRequest, reply: FastifyReply) => {
    send(reply, nowhere(request));
    return reply;
  };
  const otherMethods = app.server.supportedMethods.filter(method => method !== 'GET');
  app.server.route({
    method: otherMethods as HTTPMethods[],
    url: `/${mount}`,
    config: { name: 'unmatched' },
    handler: nothing,
  });
  app.server.all(`/${mount}/*`, { config: { name: 'unmatched' } }, nothing);
}

function mountVersion(app: App, api: ApiVersion, mount: string, host: HostOf): void {
  app.server.get(`/${mount}`, { config: { name: `${mount} redirect` } }, async (request, reply) =>
    reply
      .code(302)
      .header('location', `${host(request)}/${mount}/`)
      .header('content-type', 'text/plain; charset=utf8')
      .send(''),
  );
  app.server.get(`/${mount}/`, { config: { name: `${mount} version` } }, async (request, reply) => {
    const self = `${host(request)}/${mount}/`;
    reply.header('x-compute-request-id', request.requestId);
    const item = itemOf(api, [
      { rel: 'self', href: self },
      { rel: 'describedby', type: 'application/pdf', href: api.guide },
      { rel: 'describedby', type: 'application/vnd.sun.wadl+xml', href: api.wadl },
    ]);
    if (wantsAtom(request)) return atom(reply, 'About This Version', self, [item]);
    const document = shown.json({ ...item, mediaTypes: api.mediaTypes });
    const as = answerFormat(request.url, request.headers.accept);
    return writeDocument(reply.code(200), document, shown.xml, as);
  });
}

/** Everywhere else the versions that there are. */
function mountChoices(app: App, api: ApiVersion, host: HostOf): void {
  app.server.all('/*', { config: { name: 'unmatched', public: true } }, async (request, reply) => {
    const hasBody = request.body instanceof Buffer && request.body.length > 0;
    if (hasBody) {
      send(reply, renderFault(badRequest(), request));
      return reply;
    }
    const path = must(request.url.split('?', 1)[0], 'a split has a first part').replace(/^\/+|\/+$/g, '');
    const document = choices.json([
      {
        id: api.id,
        status: 'CURRENT',
        links: [{ rel: 'self', href: `${host(request)}/${api.mounts[0]}/${path}` }],
        mediaTypes: api.mediaTypes,
      },
    ]);
    const as = answerFormat(request.url, request.headers.accept);
    return writeDocument(reply.code(300), document, choices.xml, as);
  });
}

/** What stands where no route is: plain text below the mounts. */
const nowhere = (request: FastifyRequest): RenderedFault =>
  request.method === 'HEAD'
    ? { status: 404, headers: { 'content-type': 'text/html; charset=UTF-8' }, body: '' }
    : plain(request, 404, 'Not Found', 'The resource could not be found.', '');

const wantsAtom = (request: FastifyRequest): boolean =>
  must(
    must((request.headers.accept ?? '').split(',')[0], 'a split has a first part').split(';')[0],
    'a split has a first part',
  ).trim() === 'application/atom+xml';

function atom(
  reply: FastifyReply,
  title: string,
  id: string,
  versions: readonly ReturnType<typeof itemOf>[],
): FastifyReply {
  const text = (tag: string, content: string, attributes: Record<string, string> = {}): XmlNode => ({
    tag,
    content,
    attributes,
  });
  const feed: XmlNode = {
    tag: 'feed',
    namespaces: { '': NOVA_NS.atom },
    content: [
      text('title', title, { type: 'text' }),
      text('updated', must(versions[0], 'versions is not empty').updated),
      text('id', id),
      { tag: 'link', attributes: { rel: 'self', href: id } },
      {
        tag: 'author',
        content: [text('name', 'Rackspace'), text('uri', 'http://www.rackspace.com/')],
      },
      ...versions.map(item => ({
        tag: 'entry',
        content: [
          text('id', must(item.links[0], 'links is not empty').href),
          text('title', `Version ${item.id}`, { type: 'text' }),
          text('updated', item.updated),
          ...item.links.map(({ rel, href, type }) => ({
            tag: 'link',
            attributes: { rel, href, ...(type === undefined ? {} : { type }) },
          })),
          text('content', `Version ${item.id} ${item.status} (${item.updated})`, { type: 'text' }),
        ],
      })),
    ],
  };
  return reply
    .code(200)
    .header('content-type', 'application/atom+xml')
    .send(Buffer.from(writeXml(feed, { declaration: XML_DECLARATION })));
}
