import { reconFilter, reconOptions } from '@folsom/swift';
import type { Middleware } from './middleware.ts';

/** /recon/... in a proxy's pipeline, as on the storage servers. */
export const recon: Middleware = (app, conf) => {
  const filter = reconFilter(reconOptions(conf));
  return async request => {
    const { headers, body, remoteAddress, version, method, path } = request;
    const answered = filter(path, { headers, body, remoteAddress, version, method, target: path });
    return answered ?? app(request);
  };
};
