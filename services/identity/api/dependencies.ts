import type { RevocationList } from '@folsom/auth';
import type { World } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { CatalogState } from '../catalog-state.ts';
import type { Fresh } from '../fresh.ts';
import type { Identities } from '../identities.ts';
import type { Pki } from '../pki/pki.ts';
import type { Role } from '../repositories/roles.ts';
import type { SignedLogin } from '../signed-request.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { Authorize } from './authorize.ts';
import type { Statistics } from './statistics.ts';

/** What the operations work with. */
export interface Dependencies {
  /** Tokens, catalog and EC2 pairs are kept here, and identities where nothing else is configured. */
  db: Database;
  identities: Identities;
  world: World;
  tokens: Tokens;
  authorize: Authorize;
  catalog: CatalogState;
  roles: Fresh<Role[]>;
  revocations: RevocationList;
  statistics: Statistics;
  pki: Pki;
  /** Public keys of signed tokens in PEM, by id. */
  publicKeys: () => Record<string, string>;
  limits: {
    /** Characters of names and ids in a login. */
    paramCharsMax: number;
    tokenCharsMax: number;
  };
  signed: SignedLogin;
  ec2: {
    requireServiceCaller: boolean;
    /** 0: signatures never get too old. */
    signatureMaxAgeMs: number;
    repeatWindowMs: number;
    /** Of requests that change nothing. */
    readRepeatWindowMs: number;
  };
}

/** A new id as keystone makes them: 32 hexadecimal digits. */
export const newId = (world: World): string => world.random.uuid().replaceAll('-', '');
