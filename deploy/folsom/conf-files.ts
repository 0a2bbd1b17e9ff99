import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CloudOptions } from './part.ts';

/** Configuration for the management programs beside a running cloud: `nova-manage --config-file DIR/etc/nova.conf …`. */
export async function writeConfFiles({ layout, hostIp, fixedRange }: CloudOptions): Promise<void> {
  const files: Record<string, string[]> = {
    'nova.conf': [
      '[DEFAULT]',
      `sql_connection = sqlite:///${layout.db('nova')}`,
      `state_path = ${layout.nova}`,
      'host = folsom',
      `my_ip = ${hostIp}`,
      'network_manager = nova.network.manager.FlatDHCPManager',
      'flat_network_bridge = br100',
      `fixed_range = ${fixedRange}`,
      // The bus lives inside the running process: commands beside it cannot send.
      'fake_rabbit = True',
    ],
    'keystone.conf': [
      '[sql]',
      `connection = sqlite:///${layout.db('keystone')}`,
      '[signing]',
      'token_format = JWT',
      `jwt_key_dir = ${layout.keystone}/token-keys`,
    ],
    'glance-registry.conf': ['[DEFAULT]', `sql_connection = sqlite:///${layout.db('glance')}`],
  };
  await mkdir(layout.etc, { recursive: true, mode: 0o700 });
  for (const [name, lines] of Object.entries(files)) {
    const path = join(layout.etc, name);
    await writeFile(`${path}.new`, `${lines.join('\n')}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
}
