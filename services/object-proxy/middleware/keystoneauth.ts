import { must } from '@folsom/core';
import { answer, bytesFromUtf8, type ServerResponse, splitPath } from '@folsom/swift-http';
import { isTrue, type ProxyRequest } from '../request.ts';
import { cleanAcl, parseAcl, referrerAllowed } from './acl.ts';
import type { Middleware } from './middleware.ts';
import { isContainerSync } from './tempauth.ts';

/** Decides by keystone roles and access lists who may do what in an account. */
export const keystoneAuth: Middleware = (app, conf) => {
  const prefix = conf.str('reseller_prefix', 'AUTH_').trim();
  const operatorRoles = conf.list('operator_roles', ['admin', 'swiftoperator']);
  const resellerAdmin = conf.str('reseller_admin_role', 'ResellerAdmin');
  const sameNameIsOwner = isTrue(conf.values.is_admin);
  const syncHosts = conf.list('allowed_sync_hosts', ['127.0.0.1']);
  const allowOverrides = conf.values.allow_overrides === undefined || isTrue(conf.values.allow_overrides);

  const denied = (request: ProxyRequest): ServerResponse => answer(request.remoteUser ? 403 : 401, request);

  /** Access that needs no identity: true if granted, false if denied, null if it does not settle the matter. */
  const openAccess = (
    request: ProxyRequest,
    object: string | null,
    referrers: string[],
    groups: string[],
  ): boolean | null => {
    if (isContainerSync(request, syncHosts)) return true;
    if (!referrerAllowed(request.headers.get('referer'), referrers)) return null;
    return Boolean(object) || groups.includes('.rlistings');
  };

  const authorize = (request: ProxyRequest): ServerResponse | null => {
    const parts = splitPath(request.path, 1, 4, true);
    if (!parts) return answer(404, request);
    const [, account, , object] = parts;
    const { tenantId, tenantName, userName, roles } = must(request.identity, 'identity is there');
    if (roles.includes(resellerAdmin)) {
      request.swiftOwner = true;
      return null;
    }
    if (!tenantId || account !== `${prefix}${tenantId}`) return denied(request);
    if (operatorRoles.some(role => roles.includes(role)) || (sameNameIsOwner && userName === tenantName)) {
      request.swiftOwner = true;
      request.accountUser = true;
      return null;
    }
    const { referrers, groups } = parseAcl(request.acl);
    const open = openAccess(request, object ?? null, referrers, groups);
    if (open !== null) return open ? null : denied(request);
    const names = [`${tenantName}:${userName}`, `${tenantId}:${userName}`, ...roles].map(bytesFromUtf8);
    return names.some(name => groups.includes(name)) ? null : denied(request);
  };

  const authorizeAnonymous = (request: ProxyRequest): ServerResponse | null => {
    const parts = splitPath(request.path, 1, 4, true);
    if (!parts) return answer(404, request);
    const [, account, , object] = parts;
    if (!account?.startsWith(prefix)) return denied(request);
    const { referrers, groups } = parseAcl(request.acl);
    return openAccess(request, object ?? null, referrers, groups) ? null : denied(request);
  };

  return async request => {
    if (allowOverrides && request.authorizeOverride) return app(request);
    if (request.identity) {
      request.remoteUser = request.identity.tenantId ?? request.identity.userName ?? '-';
      request.authorize = authorize;
    } else request.authorize = authorizeAnonymous;
    request.cleanAcl = cleanAcl;
    return app(request);
  };
};
