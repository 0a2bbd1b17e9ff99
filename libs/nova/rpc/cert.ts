import { call, contract } from '@folsom/rpc';

/** Everything nova-cert answers. Keys and certificates are PEM texts. */
export const certContract = contract('cert', '1.0', {
  revoke_certs_by_user: call<{ user_id: string }, null>('1.0'),
  revoke_certs_by_project: call<{ project_id: string }, null>('1.0'),
  revoke_certs_by_user_and_project: call<{ user_id: string; project_id: string }, null>('1.0'),
  /** `[private key, certificate]` */
  generate_x509_cert: call<{ user_id: string; project_id: string }, [string, string]>('1.0'),
  fetch_ca: call<{ project_id: string | null }, string>('1.0'),
  fetch_crl: call<{ project_id: string | null }, string>('1.0'),
  /** `text` is base64 of what was encrypted for the authority's key. */
  decrypt_text: call<{ project_id: string | null; text: string }, string>('1.0'),
});
