import { requestJson } from './request.ts';

/** How long one request may take. */
const TIMEOUT_MS = 30_000;

const RULES = [
  { ip_protocol: 'icmp', from_port: -1, to_port: -1 },
  { ip_protocol: 'tcp', from_port: 22, to_port: 22 },
];

export interface DefaultGroupOptions {
  authUrl: string;
  /** Compute API without the tenant. */
  computeUrl: string;
  /** Each with a tenant of the same name. */
  users: readonly { name: string; password: string }[];
}

/** Lets ping and ssh from everywhere into the group `default` of each user's tenant; rules that stand are left alone. */
export async function allowPingAndSsh({ authUrl, computeUrl, users }: DefaultGroupOptions): Promise<void> {
  for (const { name, password } of users) {
    const auth = { tenantName: name, passwordCredentials: { username: name, password } };
    const { access } = (await ask('POST', `${authUrl}/tokens`, {}, { auth })) as {
      access: { token: { id: string; tenant: { id: string } } };
    };
    const headers = { 'x-auth-token': access.token.id };
    const tenant = `${computeUrl}/${access.token.tenant.id}`;
    const { security_groups: groups } = (await ask('GET', `${tenant}/os-security-groups`, headers)) as {
      security_groups: { id: number; name: string; rules: { ip_protocol: string; from_port: number }[] }[];
    };
    const group = groups.find(candidate => candidate.name === 'default');
    if (!group) throw new Error(`the tenant ${name} has no group default`);
    for (const rule of RULES) {
      const stands = group.rules.some(
        ({ ip_protocol, from_port }) => ip_protocol === rule.ip_protocol && from_port === rule.from_port,
      );
      if (stands) continue;
      const security_group_rule = { ...rule, cidr: '0.0.0.0/0', parent_group_id: group.id };
      await ask('POST', `${tenant}/os-security-group-rules`, headers, { security_group_rule });
    }
  }
}

async function ask(
  method: string,
  url: string,
  headers: Record<string, string>,
  body?: object,
): Promise<unknown> {
  return requestJson(url, { method, headers, timeoutMs: TIMEOUT_MS, ...(body ? { body } : {}) });
}
