import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Dependencies } from './api/dependencies.ts';
import { scopeFacts } from './api/login.ts';
import { isS3SignedWith, isSignedWith, s3SignedAt, signedAt } from './ec2-signature.ts';
import { isEnabled } from './enabled.ts';
import { fault, missing } from './faults.ts';
import { IDENTITY_LIMITS } from './limits.ts';
import { type Ec2Credential, findCredential } from './repositories/ec2-credentials.ts';
import { findLogin } from './repositories/login.ts';
import type { Signed, SignedLogin } from './signed-request.ts';
import type { Token } from './tokens/token.ts';

export function signedLogin(
  deps: Pick<Dependencies, 'db' | 'tokens' | 'world' | 'roles' | 'ec2'>,
): SignedLogin {
  const { db, tokens, world, ec2 } = deps;
  const used = new LRUCache<string, true>({
    max: IDENTITY_LIMITS.signaturesRememberedMax,
    // With a margin: a signature is forgotten only when it has become too old anyway.
    ttl: Math.max(ec2.signatureMaxAgeMs, 1000) * 3,
  });

  /** `at` must be near; an end of validity must lie ahead, and not further than `untilMaxMs`. */
  const assertFresh = (times: { at: number | null; until: number | null }, untilMaxMs: number) => {
    if (ec2.signatureMaxAgeMs === 0) return;
    const now = world.clock.now();
    if (times.until !== null) {
      if (times.until <= now || times.until - now > untilMaxMs) throw fault('Unauthorized');
    } else if (times.at === null || Math.abs(now - times.at) > ec2.signatureMaxAgeMs) {
      throw fault('Unauthorized');
    }
  };

  // Identical requests made in the same second have the same signature and are no replay; later ones are.
  const assertFirstUse = (access: string, signature: string, at: number | null) => {
    if (ec2.signatureMaxAgeMs === 0) return;
    const key = hash('sha256', `${access} ${signature}`, 'base64');
    const repeatable = at !== null && Math.abs(world.clock.now() - at) <= ec2.repeatWindowMs;
    if (used.has(key) && !repeatable) throw fault('Unauthorized');
    used.set(key, true);
  };

  const grantToken = async (credential: Ec2Credential, issuedAt: number): Promise<Token> => {
    const { user, tenant, grant } = await findLogin(db.knex, {
      userId: credential.user_id,
      tenantId: credential.tenant_id,
    });
    if (!user || !tenant || !isEnabled(user.extra) || !isEnabled(tenant.extra)) throw fault('Unauthorized');
    if (grant.roleIds.length === 0) throw fault('Unauthorized');
    return tokens.issue({
      ...(await scopeFacts(deps, user, tenant, grant)),
      issuedAt,
      expiresAt: issuedAt + tokens.lifetimeMs,
    });
  };

  const credentialOf = async (signed: Signed): Promise<Ec2Credential> => {
    if (typeof signed.access !== 'string') throw fault('Unauthorized');
    const credential = await findCredential(db.knex, signed.access);
    if (!credential) throw fault('Unauthorized');
    return credential;
  };

  return {
    ec2: async given => {
      const signed = signedObject(given);
      const issuedAt = tokens.issueMoment();
      const credential = await credentialOf(signed);
      const params = textMap(signed.params);
      const signature = text(signed, 'signature');
      const genuine = isSignedWith(credential.secret, {
        signature,
        host: text(signed, 'host'),
        verb: text(signed, 'verb'),
        path: text(signed, 'path'),
        params,
      });
      if (!genuine) throw fault('Unauthorized');
      const times = signedAt(params);
      assertFresh(times, ec2.signatureMaxAgeMs);
      assertFirstUse(credential.access, signature, times.at);
      return grantToken(credential, issuedAt);
    },
    s3: async given => {
      const signed = signedObject(given);
      const issuedAt = tokens.issueMoment();
      const credential = await credentialOf(signed);
      const token = text(signed, 'token');
      if (!isS3SignedWith(credential.secret, token, text(signed, 'signature'))) throw fault('Unauthorized');
      // Dates of S3 have whole seconds and browsers fetch a presigned URL again: age counts, repetition does not.
      assertFresh(s3SignedAt(token), Number.POSITIVE_INFINITY);
      return grantToken(credential, issuedAt);
    },
  };
}

function signedObject(value: unknown): Signed {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw missing('credentials');
  return value as Signed;
}

function text(from: Signed, field: string): string {
  const value = from[field];
  if (typeof value !== 'string') throw missing(field, 'credentials');
  return value;
}

function textMap(value: unknown): Record<string, string> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw missing('params', 'credentials');
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => ['string', 'number', 'boolean'].includes(typeof item))
      .map(([key, item]) => [key, String(item)]),
  );
}
