import { authTokenOptions } from '@folsom/auth';
import { commonOptions } from '@folsom/config';
import { consoleOptions } from '@folsom/console/options';
import { novaOptions } from '@folsom/nova/options';
import { novaNotHonoured } from '@folsom/nova/options/not-honoured';
import { rpcOptions } from '@folsom/rpc';
import { schedulerOptions, trustOptions } from '@folsom/scheduler/options';
import type { ConfFile } from './conf-file.ts';

export const novaConf: ConfFile = {
  declarations: [
    commonOptions,
    novaOptions,
    rpcOptions,
    schedulerOptions,
    trustOptions,
    consoleOptions,
    authTokenOptions,
  ],
  notHonoured: novaNotHonoured,
};
