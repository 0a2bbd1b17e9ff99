// `node rings.mjs CONF-DIR DIR ACCOUNT-PORT CONTAINER-PORT OBJECT-PORT`: puts swift.conf and, once, the rings of a single device on
// this address into DIR. A cloud with more devices makes its rings with the same commands.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const [conf, dir, ...ports] = process.argv.slice(2);
mkdirSync(join(dir, 'devices', 'd1'), { recursive: true });
copyFileSync(join(conf, 'swift.conf'), join(dir, 'swift.conf'));
for (const [index, kind] of ['account', 'container', 'object'].entries()) {
  if (existsSync(join(dir, `${kind}.ring.gz`))) continue;
  const builder = join(dir, `${kind}.builder`);
  for (const words of [
    ['create', '10', '1', '1'],
    ['add', `z1-127.0.0.1:${ports[index]}/d1`, '100'],
    ['rebalance'],
  ]) {
    const { status, error } = spawnSync('swift-ring-builder', [builder, ...words], { stdio: 'inherit' });
    if (error || status !== 0) {
      console.error(`swift-ring-builder ${words.join(' ')}: ${error?.message ?? `ended with ${status}`}`);
      process.exit(1);
    }
  }
}
