import type { Token } from '../tokens/token.ts';

export type Port = 'public' | 'admin';

/** Who asks, and what of the request is no body, query or path. */
export interface Caller {
  port: Port;
  /** X-Auth-Token as sent. */
  tokenId: string | null;
  /** Whether that is the configured admin_token. */
  bootstrap: boolean;
  /** The token that stood in the path. */
  tokenInPath: string;
  /** What the token stands for, once rights were asked. */
  token: Token | null;
  wantsXml: boolean;
  /** Our own services ask for the exact time of issue. */
  wantsIssuedAt: boolean;
  /** The request's log line, which names the tenant. */
  line: { tenantId: string | null };
}
