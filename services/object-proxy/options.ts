import type { ConfSection } from '@folsom/swift';

/** `[app:proxy-server]`, with the original's names (in camel case), defaults and units (seconds, bytes). */
export interface ProxyOptions {
  recheckAccountExistence: number;
  recheckContainerExistence: number;
  nodeTimeout: number;
  clientTimeout: number;
  connTimeout: number;
  errorSuppressionInterval: number;
  errorSuppressionLimit: number;
  allowAccountManagement: boolean;
  objectPostAsCopy: boolean;
  accountAutocreate: boolean;
  expiringObjectsAccount: string;
  expiringObjectsContainerDivisor: number;
  maxContainersPerAccount: number;
  maxContainersWhitelist: readonly string[];
  denyHostHeaders: readonly string[];
  rateLimitAfterSegment: number;
  rateLimitSegmentsPerSec: number;
  logHandoffs: boolean;
}

export function proxyOptions(conf: ConfSection): ProxyOptions {
  return {
    recheckAccountExistence: conf.int('recheck_account_existence', 60),
    recheckContainerExistence: conf.int('recheck_container_existence', 60),
    nodeTimeout: conf.float('node_timeout', 10),
    clientTimeout: conf.float('client_timeout', 60),
    connTimeout: conf.float('conn_timeout', 0.5),
    errorSuppressionInterval: conf.int('error_suppression_interval', 60),
    errorSuppressionLimit: conf.int('error_suppression_limit', 10),
    allowAccountManagement: conf.bool('allow_account_management', false),
    objectPostAsCopy: conf.bool('object_post_as_copy', true),
    accountAutocreate: conf.bool('account_autocreate', false),
    expiringObjectsAccount: `${conf.str('auto_create_account_prefix', '') || '.'}expiring_objects`,
    expiringObjectsContainerDivisor: conf.int('expiring_objects_container_divisor', 86_400),
    maxContainersPerAccount: conf.int('max_containers_per_account', 0),
    maxContainersWhitelist: conf.list('max_containers_whitelist', []),
    denyHostHeaders: conf.list('deny_host_headers', []),
    rateLimitAfterSegment: conf.int('rate_limit_after_segment', 10),
    rateLimitSegmentsPerSec: conf.float('rate_limit_segments_per_sec', 1),
    logHandoffs: conf.bool('log_handoffs', true),
  };
}
