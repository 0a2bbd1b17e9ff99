import { bool, int, list, str } from '@folsom/config';

/** nova-compute and its drivers. */
export const compute = {
  compute_driver: str('nova.virt.connection.get_connection', 'Hypervisor driver'),
  connection_type: str(null, 'Hypervisor driver by its old name'),
  instances_path: str('$state_path/instances', 'Directory of guests'),
  base_dir_name: str('_base', 'Directory of cached images below instances_path'),
  max_image_virtual_size_gb: int(
    20,
    'Largest disk in GB that an image may become with a flavor whose root disk is 0; 0: no bound',
  ),
  max_image_expansion: int(
    100,
    'How often the size of its file the disk of an image may be with a flavor whose root disk is 0, if more than 256 MB; 0: no bound',
  ),
  console_host: str('$host', 'Name given to consoles of this host'),
  libvirt_type: str('kvm', 'kvm, qemu, lxc, uml or xen'),
  libvirt_uri: str('', 'libvirt connection; empty for the one libvirt_type implies'),
  libvirt_inject_key: bool(true, 'Write the key into guests'),
  libvirt_inject_partition: int(1, 'Partition written to: -2 none, -1 inspect, 0 whole disk'),
  libvirt_cpu_mode: str(null, 'host-model, host-passthrough, custom or none'),
  libvirt_cpu_model: str(null, 'Processor model of mode custom'),
  libvirt_wait_soft_reboot_seconds: int(120, 'Seconds a guest has for a soft reboot'),
  libvirt_snapshots_directory: str('$instances_path/snapshots', 'Directory of unfinished snapshots'),
  live_migration_uri: str('qemu+tcp://%s/system', 'libvirt connection to a migration target'),
  live_migration_flag: str('VIR_MIGRATE_UNDEFINE_SOURCE, VIR_MIGRATE_PEER2PEER', 'Flags of a live migration'),
  block_migration_flag: str(
    'VIR_MIGRATE_UNDEFINE_SOURCE, VIR_MIGRATE_PEER2PEER, VIR_MIGRATE_NON_SHARED_INC',
    'Flags of a block migration',
  ),
  live_migration_bandwidth: int(0, 'Megabytes per second of a migration; 0 for no limit'),
  remove_unused_base_images: bool(true, 'Remove cached images that no guest uses'),
  remove_unused_original_minimum_age_seconds: int(86_400, 'Age at which they are removed'),
  remove_unused_resized_minimum_age_seconds: int(3_600, 'Age at which grown copies of them are removed'),
  image_cache_manager_interval: int(0, 'Periodic runs between image cache sweeps; 0 never'),
  config_drive_format: str('iso9660', 'iso9660'),
  config_drive_skip_versions: str(
    '1.0 2007-01-19 2007-03-01 2007-08-29 2007-10-10 2007-12-15 2008-02-01 2008-09-01',
    'EC2 versions left out of config drives',
  ),
  force_config_drive: str(null, 'Give every guest a config drive'),
  pybasedir: str('/usr/share/nova', 'Directory of data files'),
  bindir: str('/usr/bin', 'Directory of programs'),
  rescue_image_id: str(null, 'Image of a rescue boot; none for the own one'),
  rescue_kernel_id: str(null, 'Kernel of a rescue boot'),
  rescue_ramdisk_id: str(null, 'Ramdisk of a rescue boot'),
  resize_confirm_window: int(0, 'Seconds after which a resize confirms itself; 0 never'),
  instance_build_timeout: int(0, 'Seconds after which a build has failed; 0 never'),
  running_deleted_instance_action: str('log', 'noop, log or reap'),
  running_deleted_instance_poll_interval: int(30, 'Periodic runs between searches for them'),
  running_deleted_instance_timeout: int(0, 'Seconds after the deletion at which they count'),
  resume_guests_state_on_host_boot: bool(false, 'Start guests again that ran before the host stopped'),
  heal_instance_info_cache_interval: int(60, 'Seconds between renewals of cached network facts'),
  firewall_driver: str(null, 'IptablesFirewallDriver (if none is named) or NoopFirewallDriver'),
  allow_same_net_traffic: bool(true, 'Let guests of one network reach each other'),
};

/** Guest screens. */
export const console = {
  vnc_enabled: bool(true, 'Give guests a VNC console'),
  vnc_keymap: str('en-us', 'Keyboard of VNC consoles'),
  novncproxy_base_url: str('http://127.0.0.1:6080/vnc_auto.html', 'URL of noVNC consoles'),
  xvpvncproxy_base_url: str('http://127.0.0.1:6081/console', 'URL of xvpvnc consoles'),
  xvpvncproxy_host: str('0.0.0.0', 'Address of nova-xvpvncproxy'),
  xvpvncproxy_port: int(6081, 'Port of nova-xvpvncproxy'),
  novncproxy_host: str('0.0.0.0', 'Address of nova-novncproxy'),
  novncproxy_port: int(6080, 'Port of nova-novncproxy'),
  record: bool(false, 'Record sessions'),
  daemon: bool(false, 'Go to the background'),
  ssl_only: bool(false, 'Refuse connections without TLS'),
  cert: str('self.pem', 'Certificate of the proxy'),
  key: str(null, 'Key of the certificate'),
  web: str('/usr/share/novnc', 'Directory of noVNC files'),
  vncserver_listen: str('127.0.0.1', 'Address guests listen on'),
  vncserver_proxyclient_address: str('127.0.0.1', 'Address the proxy reaches them at'),
  console_token_ttl: int(600, 'Seconds a console token lives'),
};

/** nova-cert. */
export const cert = {
  ca_path: str('$state_path/CA', 'Directory of the certificate authority'),
  ca_file: str('cacert.pem', 'Root certificate'),
  key_file: str('private/cakey.pem', 'Root key'),
  crl_file: str('crl.pem', 'Revocation list'),
  use_project_ca: bool(false, 'One authority for each tenant'),
  user_cert_subject: str(
    '/C=US/ST=California/O=OpenStack/OU=NovaDev/CN=%.16s-%.16s-%s',
    'Subject of user certificates',
  ),
  project_cert_subject: str(
    '/C=US/ST=California/O=OpenStack/OU=NovaDev/CN=project-ca-%.16s-%s',
    'Subject of tenant certificates',
  ),
};

/** nova-volume. */
export const volume = {
  volume_driver: str('nova.volume.driver.ISCSIDriver', 'ISCSIDriver (LVM), file, or fake'),
  volume_api_class: str('nova.volume.api.API', 'Volume API class'),
  volume_group: str('nova-volumes', 'LVM volume group'),
  num_shell_tries: int(3, 'Attempts at a flaky command'),
  num_iscsi_scan_tries: int(3, 'Scans for a target'),
  iscsi_num_targets: int(100, 'Targets of a host'),
  iscsi_target_prefix: str('iqn.2010-10.org.openstack:', 'Prefix of target names'),
  iscsi_ip_address: str('$my_ip', 'Address of targets'),
  iscsi_port: int(3260, 'Port of targets'),
  iscsi_helper: str('tgtadm', 'tgtadm or ietadm'),
  iscsi_chap: bool(true, 'Give each new target a password of its own'),
  volumes_dir: str('$state_path/volumes', 'Directory of the files that tgt-admin reads targets from'),
  volume_tmp_dir: str(null, 'Directory of images while they are unpacked; none for the one of the volumes'),
  volume_file_dir: str('$state_path/volume-files', 'Directory of the file driver'),
  volume_file_export: bool(false, 'Serve the volumes of the file driver over iSCSI, for other hosts'),
  storage_availability_zone: str('$node_availability_zone', 'Zone of volumes'),
  snapshot_same_host: bool(true, 'Make volumes of a snapshot on its host'),
  volume_force_update_capabilities: bool(false, 'Report capabilities every time'),
  osapi_volume_ext_list: list([], 'Extensions of the volume API loaded by select_extensions'),
};
