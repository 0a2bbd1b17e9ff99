export { type CertServiceOptions, startCert } from './cert.ts';
