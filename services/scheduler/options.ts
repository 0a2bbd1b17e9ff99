import { int, options, str } from '@folsom/config';

/** What only the scheduler reads, beside nova's shared options. */
export const schedulerOptions = options('DEFAULT', {
  max_gigabytes: int(10_000, 'Most gigabytes of volumes on a host (SimpleScheduler)'),
});

/** The attestation service that TrustedFilter asks. */
export const trustOptions = options('trusted_computing', {
  server: str(null, 'Attestation server'),
  server_ca_file: str(null, 'Certificate authority of the attestation server'),
  port: str('8443', 'Port of the attestation server'),
  api_url: str('/OpenAttestationWebServices/V1.0', 'Path of the attestation API'),
  auth_blob: str(null, 'Authorization of the attestation API'),
});
