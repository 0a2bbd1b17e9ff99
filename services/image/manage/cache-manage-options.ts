import { type Flag, VERSION_FLAG } from '@folsom/config';

/** What `glance-cache-manage --help` begins with. */
export const CACHE_MANAGE_USAGE = `glance-cache-manage <command> [options] [args]

Commands:

    help <command> Output help for one of the commands below

    list-cached                 List all images currently cached

    list-queued                 List all images currently queued for caching

    queue-image                 Queue an image for caching

    delete-cached-image         Purges an image from the cache

    delete-all-cached-images    Removes all images from the cache

    delete-queued-image         Deletes an image from the cache queue

    delete-all-queued-images    Deletes all images from the cache queue

    clean                       Removes any stale or invalid image files
                                from the cache`;

const INSECURE =
  'Explicitly allow glance to perform "insecure" SSL (https) requests. The server\'s certificate will not be ' +
  'verified against any certificate authorities. This option should be used with caution.';

/** An option that defaults to a variable of the environment, and its older spelling. */
function fromEnvironment(name: string, short: string | undefined): Flag[] {
  const dest = name.replaceAll('-', '_');
  return [
    { name: `--${name}`, dest, help: `Defaults to env[${dest.toUpperCase()}]` },
    { name: `--${dest}`, dest, ...(short ? { short } : {}), hidden: true },
  ];
}

export const CACHE_MANAGE_FLAGS: readonly Flag[] = [
  VERSION_FLAG,
  { name: '--verbose', short: '-v', isSwitch: true, help: 'Print more verbose output' },
  { name: '--debug', short: '-d', isSwitch: true, help: 'Print debugging output' },
  {
    name: '--host',
    short: '-H',
    metavar: 'ADDRESS',
    help: 'Address of Glance API host. Default: 0.0.0.0',
  },
  {
    name: '--port',
    short: '-p',
    metavar: 'PORT',
    help: 'Port the Glance API host listens on. Default: 9292',
  },
  { name: '--insecure', short: '-k', isSwitch: true, help: INSECURE },
  {
    name: '--force',
    short: '-f',
    isSwitch: true,
    help: 'Prevent select actions from requesting user confirmation',
  },
  ...fromEnvironment('os-auth-token', '-A'),
  { name: '--auth_token', dest: 'os_auth_token', hidden: true },
  ...fromEnvironment('os-username', '-I'),
  ...fromEnvironment('os-password', '-K'),
  ...fromEnvironment('os-region-name', '-R'),
  ...fromEnvironment('os-tenant-id', undefined),
  ...fromEnvironment('os-tenant-name', '-T'),
  ...fromEnvironment('os-auth-url', '-N'),
  {
    name: '--os_auth_strategy',
    short: '-S',
    metavar: 'STRATEGY',
    help: 'Authentication strategy (keystone or noauth)',
  },
];
