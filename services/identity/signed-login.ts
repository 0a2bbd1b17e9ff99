import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Dependencies } from './api/dependencies.ts';
import { scopeFacts } from './api/login.ts';
import { isS3SignedWith, isSignedWith, s3SignedAt, signedAt } from './ec2-signature.ts';
import { isEnabled } from './enabled.ts';
import { fault } from './faults.ts';
import { IDENTITY_LIMITS } from './limits.ts';
import { type Ec2Credential, findCredential } from './repositories/ec2-credentials.ts';
import type { SignedLogin } from './signed-request.ts';
import type { Token } from './tokens/token.ts';

/** Whether a request changes nothing. A signature of an older version does not bind all that the request says. */
const onlyReads = ({ Action = '', SignatureVersion }: Readonly<Record<string, string>>): boolean =>
  SignatureVersion === '2' && /^(Describe|Get)[A-Z]/.test(Action);

export function signedLogin(
  deps: Pick<Dependencies, 'db' | 'identities' | 'tokens' | 'world' | 'roles' | 'ec2'>,
): SignedLogin {
  const { db, identities, tokens, world, ec2 } = deps;
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

  /*
   * Identical requests made in the same second have the same signature and are no replay; later ones are. Who asks again and again how far
   * something is makes many of them, and on a busy machine they take their time: what only reads may come late.
   */
  const assertFirstUse = (access: string, signature: string, at: number | null, reads: boolean) => {
    if (ec2.signatureMaxAgeMs === 0) return;
    const key = hash('sha256', `${access} ${signature}`, 'base64');
    const windowMs = reads ? ec2.readRepeatWindowMs : ec2.repeatWindowMs;
    const repeatable = at !== null && Math.abs(world.clock.now() - at) <= windowMs;
    if (used.has(key) && !repeatable) throw fault('Unauthorized');
    used.set(key, true);
  };

  const grantToken = async (credential: Ec2Credential, issuedAt: number): Promise<Token> => {
    const { user, tenant, grant } = await identities.findLogin({
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

  const credentialOf = async (access: string): Promise<Ec2Credential> => {
    const credential = await findCredential(db.knex, access);
    if (!credential) throw fault('Unauthorized');
    return credential;
  };

  return {
    ec2: async signed => {
      const issuedAt = tokens.issueMoment();
      const credential = await credentialOf(signed.access);
      if (!isSignedWith(credential.secret, signed)) throw fault('Unauthorized');
      const times = signedAt(signed.params);
      assertFresh(times, ec2.signatureMaxAgeMs);
      assertFirstUse(credential.access, signed.signature, times.at, onlyReads(signed.params));
      return grantToken(credential, issuedAt);
    },
    s3: async ({ access, token, signature }) => {
      const issuedAt = tokens.issueMoment();
      const credential = await credentialOf(access);
      if (!isS3SignedWith(credential.secret, token, signature)) throw fault('Unauthorized');
      // Dates of S3 have whole seconds and browsers fetch a presigned URL again: age counts, repetition does not.
      assertFresh(s3SignedAt(token), Number.POSITIVE_INFINITY);
      return grantToken(credential, issuedAt);
    },
  };
}
