import { commonOptions } from '@folsom/config';
import { identityNotHonoured, identityOptions } from '@folsom/identity';
import { rpcOptions } from '@folsom/rpc';
import type { ConfFile } from './conf-file.ts';

export const keystoneConf: ConfFile = {
  declarations: [commonOptions, ...identityOptions, rpcOptions],
  notHonoured: identityNotHonoured,
};
