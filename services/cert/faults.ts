import { catalogue } from '@folsom/core';

export const certFault = catalogue(
  {
    CryptoCAFileNotFound: { status: 404, text: 'The CA file for %(project)s could not be found' },
    CryptoCRLFileNotFound: { status: 404, text: 'The CRL file for %(project)s could not be found' },
    ProjectNotFound: { status: 404, text: 'Project %(project_id)s could not be found.' },
    DecryptionFailure: { status: 500, text: 'Failed to decrypt text' },
    Invalid: { status: 400, text: 'Unacceptable parameters.' },
  },
  { module: 'nova.exception' },
);
