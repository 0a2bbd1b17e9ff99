import { call, contract } from '@folsom/rpc';

export interface AuthorizeConsoleArgs {
  token: string;
  /** `novnc` or `xvpvnc` */
  console_type: string;
  host: string;
  port: number | string;
  internal_access_path: string | null;
  instance_uuid: string | null;
}

/** Where a console is, for a token that is good. */
export interface ConsoleAccess extends AuthorizeConsoleArgs {
  /** Seconds since the epoch at which the token was made. */
  last_activity_at: number;
}

/** Everything nova-consoleauth answers. */
export const consoleauthContract = contract('consoleauth', '1.0', {
  authorize_console: call<AuthorizeConsoleArgs, null>('1.0'),
  /** Null for a token that is unknown, expired, or no longer its instance's. */
  check_token: call<{ token: string }, ConsoleAccess | null>('1.0'),
  delete_tokens_for_instance: call<{ instance_uuid: string }, null>('1.0'),
});
