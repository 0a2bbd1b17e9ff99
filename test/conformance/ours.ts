import { freePort } from '@folsom/testing';
import { startCluster } from '../faults/object/cluster.ts';

/** Every middleware of swift's that clients can tell. */
const conf = (port: number): string => `
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
[pipeline:main]
pipeline = catch_errors healthcheck cache tempurl formpost tempauth staticweb proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
node_timeout = 60
conn_timeout = 10
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test2_tester2 = testing2 .admin
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:tempurl]
use = egg:swift#tempurl
[filter:formpost]
use = egg:swift#formpost
[filter:staticweb]
use = egg:swift#staticweb
`;

/** Our own object store on three devices, for the suite to be run against. */
export async function startOurs(port?: number): Promise<{ authUrl: string; stop(): Promise<void> }> {
  const cluster = await startCluster({ nodes: 3 });
  const at = port ?? (await freePort());
  await cluster.startProxy(0, conf(at), at);
  return { authUrl: `http://127.0.0.1:${at}/auth/v1.0`, stop: () => cluster.stop() };
}
