import { answer } from '@folsom/swift-http';
import type { Middleware } from './middleware.ts';

/** Refuses paths with characters, lengths or patterns an operator does not want. */
export const nameCheck: Middleware = (app, conf) => {
  const chars = conf.str('forbidden_chars', '\'"`<>');
  const maximum = conf.int('maximum_length', 255);
  const pattern = conf.str('forbidden_regexp', '/\\./|/\\.\\./|/\\.$|/\\.\\.$');
  const forbidden = pattern ? new RegExp(pattern) : null;
  return async request => {
    const { path } = request;
    const refuse = (body: string) => answer(400, request, { body });
    for (const char of chars) {
      if (path.includes(char)) return refuse(`Object/Container name contains forbidden chars from ${chars}`);
    }
    if (Buffer.byteLength(path, request.validPath ? 'utf8' : 'latin1') > maximum) {
      return refuse(`Object/Container name longer than the allowed maximum ${maximum}`);
    }
    if (forbidden?.test(path)) {
      return refuse(
        `Object/Container name contains a forbidden substring from regular expression ${pattern}`,
      );
    }
    return app(request);
  };
};
