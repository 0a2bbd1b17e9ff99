const { readdirSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

/**
 * What each package gives to others: the `exports` of its package.json. The rest of it is private. `./testing` and what else its tests
 * need of it is for tests only.
 */
const PACKAGES = ['libs', 'services'].flatMap(folder =>
  readdirSync(join(__dirname, folder)).map(name => {
    const manifest = JSON.parse(readFileSync(join(__dirname, folder, name, 'package.json'), 'utf8'));
    if (JSON.stringify(manifest.exports).includes('*'))
      throw new Error(`${folder}/${name} exports everything`);
    return { room: `${folder}/${name}`, files: Object.values(manifest.exports).map(path => path.slice(2)) };
  }),
);
const pattern = text => text.replaceAll('.', '\\.');

/** Arrows point one way: deploy -> services -> libs -> libs/core. Only one room may touch each outside thing. */
const outside = (name, comment, packages, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { pathNot: `${allowed}|\\.test\\.ts$|^libs/testing/|^test/|\\.mjs$` },
  to: { path: packages },
});

/** Clients of peers that the configuration names: no user chooses their target. */
const PEERS = [
  '^services/image/(registry/remote|manage/remote-glance)\\.ts$',
  '^services/scheduler/attestation\\.ts$',
  '^libs/nova/image-transfer\\.ts$',
  // Knows the class of an upload that comes in.
  '^services/image/stores/chunks\\.ts$',
  // Listen, for tests.
  '^services/image/stores/fake-(s3|swift)\\.ts$',
  '^services/console-web/fake-cloud\\.ts$',
];

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Types included.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'services-do-not-import-each-other',
      comment: 'They meet over REST, bus and database.',
      severity: 'error',
      from: { path: '^services/([^/]+)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'libs-do-not-import-services',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^(services|deploy|test)/' },
    },
    {
      name: 'services-do-not-import-deploy',
      severity: 'error',
      from: { path: '^services/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(deploy|test)/' },
    },
    {
      name: 'core-imports-nothing',
      severity: 'error',
      from: { path: '^libs/core/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(libs/(?!core/)|services|deploy|test)' },
    },
    ...PACKAGES.map(({ room, files }) => ({
      name: `private-side-of-${room.replace('/', '-')}`,
      comment: 'Others import what its package.json exports.',
      severity: 'error',
      from: { pathNot: `^${room}/` },
      to: { path: `^${room}/(?!(${files.map(pattern).join('|')})$|node_modules/)` },
    })),
    {
      name: 'domain-below-its-fronts',
      comment: 'What a domain refuses and does is the same for every front end above it.',
      severity: 'error',
      from: { path: '^services/compute-api/domain/', pathNot: '\\.test\\.ts$' },
      to: { path: '^services/compute-api/(?!domain/)' },
    },
    {
      name: 'front-has-no-database',
      comment: "A front end parses, calls the domain and shows: rows and messages are the domain's.",
      severity: 'error',
      from: { path: '^services/compute-api/(openstack|ec2|manage)/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^libs/(db|rpc|nova)/|^services/compute-api/domain/(deps|service)\\.ts$|node_modules/knex/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'front-knows-rows-by-type-only',
      severity: 'error',
      from: { path: '^services/compute-api/(openstack|ec2|manage)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^libs/(db|rpc)/|node_modules/knex/' },
    },
    {
      name: 'fronts-do-not-know-each-other',
      comment: 'What two of them need is the domain’s.',
      severity: 'error',
      from: { path: '^services/compute-api/(openstack|ec2|manage)/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^services/compute-api/(openstack|ec2|manage)/',
        pathNot: '^services/compute-api/$1/',
      },
    },
    {
      name: 'http-below-swift',
      comment: 'The codec knows no account, container or object.',
      severity: 'error',
      from: { path: '^libs/swift-http/', pathNot: '\\.test\\.ts$' },
      to: { path: '^libs/(?!(swift-http|core)/|host/(memory|acceptors))' },
    },
    {
      name: 'swift-below-databases',
      severity: 'error',
      from: { path: '^libs/swift/' },
      to: { path: '^libs/container-db/' },
    },
    {
      name: 'testing-is-for-tests',
      severity: 'error',
      from: { pathNot: '\\.test\\.ts$|^test/|^libs/testing/' },
      to: { path: '^libs/testing/|^(libs|services)/[^/]+/testing\\.ts$' },
    },
    outside(
      'sql-behind-repositories',
      'Only libs/db and the repositories know knex.',
      'node_modules/(knex|mysql2|better-sqlite3)/',
      '^libs/(db|nova|container-db)/|^services/(identity|image|object-account|object-container|scheduler|compute-agent)/',
    ),
    outside(
      'programs-through-host',
      'Only libs/host starts programs.',
      '^(node:)?child_process$',
      '^libs/host/|^deploy/',
    ),
    outside(
      'c-libraries-through-host',
      'Only libs/host and the libvirt driver load C libraries.',
      'node_modules/koffi/',
      '^libs/host/|^services/compute-agent/',
    ),
    outside(
      'one-xml-reader',
      'Only libs/wire reads XML.',
      'node_modules/(saxes|fast-xml-parser|xml2js|sax)/',
      '^libs/wire/',
    ),
    {
      name: 'requests-through-the-door',
      comment:
        'Requests to where a user says go through libs/outbound; who else sends any talks to peers of the configuration only.',
      severity: 'error',
      from: {
        path: '^(services|libs)/',
        pathNot: `\\.test\\.ts$|^libs/(outbound|http|auth|swift|swift-http|testing)/|^services/console/|${PEERS.join('|')}`,
      },
      to: {
        path: '^(node:)?(https?|http2)$|node_modules/undici/',
        dependencyTypesNot: ['type-only'],
      },
    },
    outside('amqp-behind-the-bus', 'Only libs/rpc knows AMQP.', 'node_modules/amqplib/', '^libs/rpc/'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: 'node_modules/\\.cache' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'default'],
      extensions: ['.ts', '.mjs', '.js'],
    },
  },
};
