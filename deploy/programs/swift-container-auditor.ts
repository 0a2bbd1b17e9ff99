import { ContainerDb, dbAuditPass } from '@folsom/container-db';
import { swiftDaemon } from '../swift-server.ts';

/** swift-container-auditor CONFIG [--once] */
export const main = (argv: string[]): Promise<number> =>
  swiftDaemon('swift-container-auditor', argv, 'container-auditor', (world, conf) => {
    const pass = dbAuditPass({
      kind: 'container',
      Kind: ContainerDb,
      devices: conf.str('devices', '/srv/node'),
      mountCheck: conf.bool('mount_check', true),
      reconCachePath: conf.str('recon_cache_path', '/var/cache/swift'),
      world,
    });
    const metrics = () => ({ passes: pass.counts().passed, failures: pass.counts().failed });
    return { pass, metrics, intervalMs: conf.int('interval', 1800) * 1000 };
  });
