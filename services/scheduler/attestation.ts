import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { Logger } from '@folsom/core';

export interface AttestationOptions {
  server: string | null;
  server_ca_file: string | null;
  port: string;
  api_url: string;
  auth_blob: string | null;
}

const TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 1024 * 1024;

/** Asks an Open Attestation service how far it trusts the hosts; a host it does not answer for is not trusted. */
export function attestation(options: AttestationOptions, log: Logger) {
  return async (hosts: readonly string[]): Promise<ReadonlyMap<string, string>> => {
    const levels = new Map<string, string>();
    if (options.server === null || hosts.length === 0) return levels;
    const answer = await poll(options, { count: hosts.length, hosts }).catch(error => {
      log.error('the attestation service does not answer: no host is trusted', {
        server: options.server,
        error,
      });
      return undefined;
    });
    for (const { host_name, trust_lvl } of statesOf(answer)) levels.set(host_name, trust_lvl);
    return levels;
  };
}

interface HostTrust {
  host_name: string;
  trust_lvl: string;
}

function statesOf(answer: unknown): HostTrust[] {
  const hosts = (answer as { hosts?: unknown } | undefined)?.hosts;
  if (!Array.isArray(hosts)) return [];
  return hosts.filter(
    (state: Partial<HostTrust> | null): state is HostTrust =>
      typeof state?.host_name === 'string' && typeof state?.trust_lvl === 'string',
  );
}

function poll(options: AttestationOptions, body: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: options.server,
        port: options.port,
        path: `${options.api_url}/PollHosts`,
        method: 'POST',
        timeout: TIMEOUT_MS,
        ...(options.server_ca_file === null ? {} : { ca: readFileSync(options.server_ca_file) }),
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(options.auth_blob === null ? {} : { 'x-auth-blob': options.auth_blob }),
        },
      },
      response => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > ANSWER_BYTES_MAX) call.destroy(new Error('answer too long'));
          else chunks.push(chunk);
        });
        response.on('end', () => {
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')));
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', reject);
    call.end(JSON.stringify(body));
  });
}
