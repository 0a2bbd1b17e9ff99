import { catalogOperations } from './catalog.ts';
import { ec2CredentialOperations } from './ec2-credentials.ts';
import { signedLoginOperations } from './ec2-login.ts';
import { validationOperations } from './offline-validation.ts';
import { ownPasswordOperations } from './own-password.ts';
import { roleOperations } from './roles.ts';
import { statisticsOperations } from './stats.ts';
import { tenantOperations } from './tenants.ts';
import { tokenOperations } from './tokens.ts';
import { userOperations } from './users.ts';
import { documentOperations } from './versions.ts';

/** The whole identity API below `/v2.0`, both ports. */
export const identityOperations = [
  ...documentOperations,
  ...tokenOperations,
  ...tenantOperations,
  ...userOperations,
  ...roleOperations,
  ...catalogOperations,
  ...ec2CredentialOperations,
  ...signedLoginOperations,
  ...statisticsOperations,
  ...ownPasswordOperations,
  ...validationOperations,
];
