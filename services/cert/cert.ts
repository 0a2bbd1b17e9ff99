import { join } from 'node:path';
import type { Config } from '@folsom/config';
import { isoSeconds, type RunningService, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { certificatesOf, recordCertificate } from '@folsom/nova/certificates';
import { novaOptions } from '@folsom/nova/options';
import { certContract } from '@folsom/nova/rpc/cert';
import { startHeartbeat } from '@folsom/nova/service-heartbeat';
import type { Bus } from '@folsom/rpc';
import { type Authority, authority } from './authority.ts';
import { certFault } from './faults.ts';
import { nameFrom } from './names.ts';

export interface CertServiceOptions {
  config: Config;
  db: Database;
  bus: Bus;
  world: World;
}

/** Name of the authority that Folsom's script makes. */
const ROOT_NAME = '/O=NOVA ROOT/L=Mountain View/ST=California/C=US';
/** Ids become directory names. */
const PLAIN_ID = /^[\w-]{1,255}$/;

/** Starts nova-cert: the cloud's certificate authority, and one for each tenant where use_project_ca is set. */
export async function startCert(options: CertServiceOptions): Promise<RunningService> {
  const { db, bus } = options;
  const settings = options.config.of(novaOptions);
  const world: World = { ...options.world, log: options.world.log.child({ service: 'nova-cert' }) };
  const authorities = new Map<string, Authority>();

  /** The authority of a tenant, or the one of all. */
  const authorityOf = (projectId: string | null): Authority => {
    const own = settings.use_project_ca && projectId ? projectId : '';
    if (own !== '' && !PLAIN_ID.test(own)) throw certFault('Invalid');
    const known = authorities.get(own);
    if (known !== undefined) return known;
    const made = authority(
      {
        directory: own === '' ? settings.ca_path : join(settings.ca_path, 'projects', own),
        caFile: settings.ca_file,
        keyFile: settings.key_file,
        crlFile: settings.crl_file,
      },
      world,
    );
    authorities.set(own, made);
    return made;
  };

  const revokeAll = async (filter: { user_id?: string; project_id?: string }): Promise<null> => {
    for (const found of await certificatesOf(db.knex, filter)) {
      await authorityOf(found.project_id).revoke(found.file_name);
    }
    return null;
  };

  await authorityOf(null).ensure(nameFrom(ROOT_NAME, []));
  const beat = await startHeartbeat({
    db,
    world,
    host: settings.host,
    binary: 'nova-cert',
    topic: settings.cert_topic,
    availability_zone: settings.node_availability_zone,
    reportIntervalS: settings.report_interval,
    enabledAtFirst: settings.enable_new_services,
  });
  const served = await certContract.serve(bus, settings.host, {
    revoke_certs_by_user: (_context, { user_id }) => revokeAll({ user_id }),
    revoke_certs_by_project: (_context, { project_id }) => revokeAll({ project_id }),
    revoke_certs_by_user_and_project: (_context, { user_id, project_id }) =>
      revokeAll({ user_id, project_id }),

    async generate_x509_cert(_context, { user_id, project_id }) {
      const time = isoSeconds(world.clock.now());
      const own = authorityOf(project_id);
      if (settings.use_project_ca) {
        await own.ensure(nameFrom(settings.project_cert_subject, [project_id, time]));
      }
      const issued = await own.issue(nameFrom(settings.user_cert_subject, [project_id, user_id, time]));
      const file = { user_id, project_id, file_name: issued.fileName };
      await recordCertificate(db.knex, file, world.clock.now());
      world.log.info('certificate issued', file);
      return [issued.privateKey, issued.certificate];
    },

    async fetch_ca(_context, { project_id }) {
      const text = await authorityOf(project_id).fetchCa();
      if (text === undefined) throw certFault('CryptoCAFileNotFound', { project: project_id });
      return text;
    },

    async fetch_crl(_context, { project_id }) {
      const text = await authorityOf(project_id).fetchCrl();
      if (text === undefined) throw certFault('CryptoCRLFileNotFound', { project: project_id });
      return text;
    },

    decrypt_text: (_context, { project_id, text }) =>
      authorityOf(project_id).decrypt(Buffer.from(text, 'base64')),
  });
  world.log.info('cert started', { host: settings.host, directory: settings.ca_path });

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    await served.stop();
    await beat.stop();
  };
  return {
    name: 'nova-cert',
    addresses: [],
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
