import type { Token } from './tokens/token.ts';

/** What a service hands over of a signed request: `credentials` of POST /ec2tokens and /s3tokens. */
export type Signed = Readonly<Record<string, unknown>>;

/** Tokens for signed requests. Both throw 401 for a signature that is wrong, too old, or used before. */
export interface SignedLogin {
  ec2(signed: unknown): Promise<Token>;
  s3(signed: unknown): Promise<Token>;
}
