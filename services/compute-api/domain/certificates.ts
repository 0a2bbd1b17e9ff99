import type { RequestContext } from '@folsom/core';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';

const ask = (deps: Deps, context: RequestContext, method: string, args: Record<string, unknown>) =>
  deps.bus.call(context, deps.config.cert_topic, { method, version: '1.0', args });

/** The certificate (PEM) of the authority that signs for the caller's project. @throws Fault `CertificateMissing` */
export async function rootCertificate(deps: Deps, context: RequestContext): Promise<string> {
  const data = await ask(deps, context, 'fetch_ca', { project_id: context.projectId });
  if (typeof data !== 'string' || data === '') throw computeFault('CertificateMissing');
  return data;
}

/** A new key and its certificate for the caller, both PEM. */
export async function makeCertificate(
  deps: Deps,
  context: RequestContext,
): Promise<{ privateKey: string; certificate: string }> {
  const made = await ask(deps, context, 'generate_x509_cert', {
    user_id: context.userId,
    project_id: context.projectId,
  });
  const [privateKey, certificate] = made as [string, string];
  return { privateKey, certificate };
}
