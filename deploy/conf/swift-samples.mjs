/**
 * swift's configuration files as Folsom's installations have them: packages, containers and the cloud of `npm start` all write these, each
 * with its own addresses and places. Plain JavaScript for any Node from 18 on: deploy/containers/configure.mjs runs before anything is
 * installed.
 */

/** The storage servers: where each listens, and the daemons beside it. */
export const STORAGE = {
  account: { port: 6002, daemons: ['auditor', 'reaper', 'replicator'] },
  container: { port: 6001, daemons: ['auditor', 'replicator', 'sync', 'updater'] },
  object: { port: 6000, daemons: ['auditor', 'replicator', 'updater'] },
};

export const PROXY_PORT = 8080;

const egg = name => `use = egg:swift#${name}`;

/** Behind identity: what a section of the proxy's pipeline sets, in the order of the pipeline. */
const PROXY_FILTERS = {
  catch_errors: [egg('catch_errors')],
  healthcheck: [egg('healthcheck')],
  'proxy-logging': [egg('proxy_logging')],
  cache: [egg('memcache')],
  tempurl: [egg('tempurl')],
  formpost: [egg('formpost')],
  authtoken: [
    'paste.filter_factory = keystone.middleware.auth_token:filter_factory',
    'delay_auth_decision = 1',
  ],
  keystoneauth: [egg('keystoneauth'), 'operator_roles = Member, admin, swiftoperator'],
  staticweb: [egg('staticweb')],
};

/** A file of sections; what `more` has for one follows what the sample has. Those without a line of either stand there all the same. */
const fileOf = (sections, more) =>
  Object.entries(sections)
    .map(
      ([name, lines]) => `[${name}]\n${[...lines, ...(more[name] ?? [])].map(line => `${line}\n`).join('')}`,
    )
    .join('\n');

const filters = all =>
  Object.fromEntries(Object.entries(all).map(([name, lines]) => [`filter:${name}`, lines]));

const pipeline = names => [`pipeline = ${names.join(' ')}`];

/** Without a `[DEFAULT]` unless `more` has one. */
const withDefault = (sections, more) => ('DEFAULT' in more ? { DEFAULT: [], ...sections } : sections);

/** proxy-server.conf. */
export const proxySample = (more = {}) =>
  fileOf(
    withDefault(
      {
        'pipeline:main': pipeline([...Object.keys(PROXY_FILTERS), 'proxy-server']),
        'app:proxy-server': [egg('proxy'), 'account_autocreate = true'],
        ...filters(PROXY_FILTERS),
      },
      more,
    ),
    more,
  );

/** account-server.conf, container-server.conf or object-server.conf. */
export const storageSample = (kind, more = {}) =>
  fileOf(
    withDefault(
      {
        'pipeline:main': pipeline(['healthcheck', 'recon', `${kind}-server`]),
        [`app:${kind}-server`]: [egg(kind)],
        ...filters({ healthcheck: [egg('healthcheck')], recon: [egg('recon')] }),
        ...Object.fromEntries(STORAGE[kind].daemons.map(daemon => [`${kind}-${daemon}`, []])),
      },
      more,
    ),
    more,
  );

/** object-expirer.conf. */
export const expirerSample = (more = {}) =>
  fileOf(
    {
      DEFAULT: [],
      'object-expirer': [],
      'pipeline:main': pipeline(['catch_errors', 'cache', 'proxy-server']),
      'app:proxy-server': [egg('proxy')],
      ...filters({ catch_errors: PROXY_FILTERS.catch_errors, cache: PROXY_FILTERS.cache }),
    },
    more,
  );
