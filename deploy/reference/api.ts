import { computeReference, ec2Reference, volumeReference } from '@folsom/compute-api/reference';
import { type ReferencePart, referencePage } from '@folsom/http/operation';
import { identityReference } from '@folsom/identity/reference';
import { imageReference } from '@folsom/image/reference';
import { accountReference } from '@folsom/object-account/reference';
import { containerReference } from '@folsom/object-container/reference';
import { objectReference } from '@folsom/object-proxy/reference';
import { objectServerReference } from '@folsom/object-server/reference';
import { STORAGE_HEAD } from '@folsom/swift';

const HEAD = `# Reference of the APIs

Made from the declarations of the operations by \`npm run docs\`; a test holds both equal. \`?\` marks what may be left out, \`…\` what is
free. \`answers\` has the status when all goes well, with the keys of the document where it is described, and then the faults that the
operation may throw, by their status. Beside what is named here every operation may answer 400 (it cannot be read or does not fit), 401 (no valid token), 403 (the policy
says no), 404 (not there, or not the caller's), 413 (too large) and 503 (what it needs is away).

`;

/** Every service that declares its operations so. */
export const referenceParts = async (): Promise<readonly ReferencePart[]> => [
  ...identityReference,
  ...imageReference,
  ...(await computeReference()),
  ...(await volumeReference()),
];

const storageReference = (): string =>
  STORAGE_HEAD + accountReference() + containerReference() + objectServerReference();

/** docs/api.md. */
export const apiPage = async (): Promise<string> =>
  HEAD + referencePage(await referenceParts()) + ec2Reference() + objectReference() + storageReference();
