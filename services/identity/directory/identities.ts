import type { Config } from '@folsom/config';
import type { World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { hashQueue } from '../hash-queue.ts';
import type { Ends, Identities } from '../identities.ts';
import { IDENTITY_LIMITS } from '../limits.ts';
import { grantFrom } from '../repositories/grants.ts';
import type { EndTokens } from '../tokens/end-tokens.ts';
import { directoryChanges } from './changes.ts';
import { certificates, connections } from './connections.ts';
import { type Entries, entriesOf, NO_ATTRIBUTES } from './entries.ts';
import { DirectoryAway } from './faults.ts';
import { all, isFor, layoutOf } from './layout.ts';
import { lookups } from './lookups.ts';
import { keystoneLdapOptions } from './options.ts';
import { saltedHash } from './password.ts';
import { urlsOf } from './urls.ts';

/** Folsom's LDAP driver: users, tenants, roles and grants in a directory. Tokens and EC2 pairs stay in the database. */
export function directoryIdentities(options: {
  config: Config;
  db: Database;
  world: World;
  endTokens: EndTokens;
}): Identities {
  const { config, db, world, endTokens } = options;
  const ldap = config.of(keystoneLdapOptions);
  const layout = layoutOf(config);
  const opened = connections({
    urls: urlsOf(config, world.log),
    user: ldap.user,
    password: ldap.password,
    startTls: ldap.use_tls,
    ca: certificates(ldap.tls_cacertfile),
    size: ldap.pool_size,
    timeoutMs: ldap.timeout * 1000,
  });
  const entries = entriesOf(opened, ldap.page_size);
  const look = lookups(entries, layout);
  const queue = hashQueue(world.clock, {
    atATime: ldap.pool_size,
    waitingMax: IDENTITY_LIMITS.hashesWaitingMax,
    waitingOfOneMax: IDENTITY_LIMITS.hashesWaitingOfOneMax,
    waitMs: IDENTITY_LIMITS.hashWaitMs,
  });
  const end = async (ends: Ends) => {
    endTokens.publish(await db.transaction(trx => endTokens.within(trx, ends)));
  };

  return {
    ...look,
    findLogin: async ({ userName, userId, tenantName, tenantId }) => {
      const [user, tenant] = await Promise.all([
        userName ? look.userByName(userName) : look.findUser(userId ?? ''),
        tenantName ? look.tenantByName(tenantName) : look.findTenant(tenantId ?? ''),
      ]);
      if (user === null) return { user, tenant: null, grant: grantFrom(false, null) };
      return {
        user,
        tenant,
        grant: tenant === null ? grantFrom(false, null) : await look.findGrant(user.id, tenant.id),
      };
    },
    verify: (who, user, password) => {
      if (password === '') return Promise.resolve(false);
      // Somebody who is not there is asked for, too: the answer takes as long.
      const dn = layout.user.dnOf(user?.id ?? world.random.hex(32));
      return queue(who, async () => (await opened.accepts(dn, password)) && user !== null);
    },
    hash: async (_who, password) => saltedHash(password, world.random),
    change: async (ends, work) => {
      // Ended before the first write, so that no failure in the middle leaves tokens of rights that are gone; and after the last,
      // for those that were issued meanwhile.
      const result = await work(directoryChanges({ entries: warned(entries, ends, end), look, layout, db }));
      if (ends !== null) await end(ends);
      return result;
    },
    checks: {
      directory: async () => {
        const filter = isFor('objectClass', layout.user.objectClass);
        await entries.search(layout.user.treeDn, {
          scope: 'base',
          filter: all(filter),
          attributes: NO_ATTRIBUTES,
        });
      },
    },
    isAway: error => error instanceof DirectoryAway,
    stop: opened.stop,
  };
}

/** Entries whose first write waits until the tokens are ended. */
function warned(entries: Entries, ends: Ends | null, end: (ends: Ends) => Promise<void>): Entries {
  if (ends === null) return entries;
  let ended: Promise<void> | undefined;
  const first = () => {
    ended ??= end(ends);
    return ended;
  };
  return {
    search: entries.search,
    add: async (dn, attributes) => {
      await first();
      return entries.add(dn, attributes);
    },
    modify: async (dn, ...modifications) => {
      await first();
      return entries.modify(dn, ...modifications);
    },
    remove: async dn => {
      await first();
      return entries.remove(dn);
    },
  };
}
