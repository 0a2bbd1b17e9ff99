import type { Middleware } from '../pipeline.ts';

/**
 * recon belongs to the storage servers; in a proxy's pipeline it is accepted and has nothing to tell, as the
 * original's would only report on devices the proxy does not have.
 */
export const recon: Middleware = app => app;
