import { catalogOperations } from './catalog.ts';
import type { Dependencies } from './dependencies.ts';
import { ec2CredentialOperations } from './ec2-credentials.ts';
import { signedLoginOperations } from './ec2-login.ts';
import { validationOperations } from './offline-validation.ts';
import type { Operation } from './operation.ts';
import { ownPasswordOperations } from './own-password.ts';
import { roleOperations } from './roles.ts';
import { statisticsOperations } from './stats.ts';
import { tenantOperations } from './tenants.ts';
import { tokenOperations } from './tokens.ts';
import { userOperations } from './users.ts';
import { documentOperations } from './versions.ts';

/** The whole identity API, both ports. */
export const identityOperations = (deps: Dependencies): Operation[] => [
  ...documentOperations(deps),
  ...tokenOperations(deps),
  ...tenantOperations(deps),
  ...userOperations(deps),
  ...roleOperations(deps),
  ...catalogOperations(deps),
  ...ec2CredentialOperations(deps),
  ...signedLoginOperations(deps),
  ...statisticsOperations(deps.statistics),
  ...ownPasswordOperations(deps),
  ...validationOperations(deps),
];
