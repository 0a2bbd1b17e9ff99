/** swift's sample files, by path: a proxy behind keystone and the three servers on /srv/node. */

const storage = (kind: string, port: number, daemons: readonly string[]): string => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
devices = /srv/node
# Devices are mounted: a folder whose disk is away takes nothing.
mount_check = true

[pipeline:main]
pipeline = healthcheck recon ${kind}-server

[app:${kind}-server]
use = egg:swift#${kind}

[filter:healthcheck]
use = egg:swift#healthcheck

[filter:recon]
use = egg:swift#recon
recon_cache_path = /var/cache/swift
${daemons.map(daemon => `\n[${kind}-${daemon}]\n`).join('')}`;

const PROXY = `[DEFAULT]
bind_ip = 0.0.0.0
bind_port = 8080

[pipeline:main]
pipeline = catch_errors healthcheck proxy-logging cache tempurl formpost authtoken keystoneauth staticweb proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:healthcheck]
use = egg:swift#healthcheck

[filter:proxy-logging]
use = egg:swift#proxy_logging

[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:11211

[filter:tempurl]
use = egg:swift#tempurl

[filter:formpost]
use = egg:swift#formpost

# Where keystone is, and the user that validates tokens there.
[filter:authtoken]
paste.filter_factory = keystone.middleware.auth_token:filter_factory
delay_auth_decision = 1
auth_host = 127.0.0.1
auth_port = 35357
auth_protocol = http
#admin_tenant_name = service
#admin_user = swift
#admin_password =

[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = Member, admin, swiftoperator

[filter:staticweb]
use = egg:swift#staticweb
`;

const EXPIRER = `[DEFAULT]

[object-expirer]

[pipeline:main]
pipeline = catch_errors proxy-server

[app:proxy-server]
use = egg:swift#proxy

[filter:catch_errors]
use = egg:swift#catch_errors
`;

const SWIFT = `# A long random text, the same on every host of a cluster and for ever: objects are found by it. No server starts without it:
# openstack-config --set /etc/swift/swift.conf swift-hash swift_hash_path_suffix $(openssl rand -hex 10)
[swift-hash]
#swift_hash_path_suffix =
`;

export const SWIFT_FILES: readonly { path: string; text: string }[] = [
  { path: '/etc/swift/swift.conf', text: SWIFT },
  { path: '/etc/swift/proxy-server.conf', text: PROXY },
  {
    path: '/etc/swift/account-server.conf',
    text: storage('account', 6002, ['auditor', 'reaper', 'replicator']),
  },
  {
    path: '/etc/swift/container-server.conf',
    text: storage('container', 6001, ['auditor', 'replicator', 'sync', 'updater']),
  },
  {
    path: '/etc/swift/object-server.conf',
    text: storage('object', 6000, ['auditor', 'replicator', 'updater']),
  },
  { path: '/etc/swift/object-expirer.conf', text: EXPIRER },
];
