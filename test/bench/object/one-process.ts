// The whole object store in one process, until a signal: FOLDER PORT DEVICES.
import { join } from 'node:path';
import { createLogger, systemClock, systemRandom } from '@folsom/core';
import { openLogFile } from '../../../deploy/log-file.ts';
import { startObjectStorage } from '../../../deploy/object-storage.ts';
import { runUntilSignal } from '../../../deploy/run.ts';
import { proxyPipeline } from './servers.ts';

const [folder = '', first = '', devices = ''] = process.argv.slice(2);
const port = Number(first);
const log = createLogger({ write: openLogFile(join(folder, 'store.log')).write });
const store = await startObjectStorage({
  stateDir: folder,
  devices: Number(devices),
  replicas: Number(devices),
  host: '127.0.0.1',
  ports: { proxy: port, account: port + 1, container: port + 2, object: port + 3 },
  validator: null,
  world: { clock: systemClock, random: systemRandom, log },
  proxyConf: proxyPipeline(port),
  daemons: false,
});
process.exitCode = await runUntilSignal(store, log);
