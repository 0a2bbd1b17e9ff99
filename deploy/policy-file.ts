import { type Config, findConfigFile } from '@folsom/config';
import type { World } from '@folsom/core';
import { type Policy, policyFile } from '@folsom/policy';

/** The policy file beside a service's configuration, read again when it changes; undefined where there is none. */
export function configuredPolicy(
  config: Config,
  settings: { policy_file: string; policy_default_rule: string },
  { clock, log }: World,
): Policy | undefined {
  const path = findConfigFile(config, settings.policy_file);
  if (path === undefined) return undefined;
  return policyFile(path, { clock, log, defaultRule: settings.policy_default_rule });
}
