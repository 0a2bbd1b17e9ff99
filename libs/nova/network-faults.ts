import { catalogue } from '@folsom/core';

/** Faults of the network service, as they travel over the bus and reach API users. */
export const networkFault = catalogue(
  {
    NetworkNotFound: { status: 404, text: 'Network %(network_id)s could not be found.' },
    NetworkNotFoundForUUID: { status: 404, text: 'Network could not be found for uuid %(uuid)s' },
    NetworkNotFoundForCidr: { status: 404, text: 'Network could not be found with cidr %(cidr)s.' },
    NetworkNotFoundForProject: {
      status: 404,
      text: 'Either Network uuid %(network_uuid)s is not present or is not assigned to the project %(project_id)s.',
    },
    NoMoreNetworks: { status: 400, text: 'No more available networks.' },
    NoNetworksFound: { status: 404, text: 'No networks defined.' },
    NetworkInUse: { status: 409, text: 'Network %(network_id)s is still in use.' },
    NetworkNotCreated: { status: 400, text: '%(req)s is required to create a network.' },
    NetworkHostNotSet: { status: 500, text: 'Host is not set to the network (%(network_id)s).' },
    FixedIpNotFound: { status: 404, text: 'No fixed IP associated with id %(id)s.' },
    FixedIpNotFoundForAddress: { status: 404, text: 'Fixed ip not found for address %(address)s.' },
    FixedIpNotFoundForInstance: { status: 404, text: 'Instance %(instance_uuid)s has zero fixed ips.' },
    FixedIpNotFoundForSpecificInstance: {
      status: 404,
      text: "Instance %(instance_uuid)s doesn't have fixed ip '%(ip)s'.",
    },
    FixedIpNotFoundForNetwork: {
      status: 404,
      text: 'Fixed IP address (%(address)s) does not exist in network (%(network_uuid)s).',
    },
    FixedIpAlreadyInUse: {
      status: 409,
      text: 'Fixed IP address %(address)s is already in use on instance %(instance_uuid)s.',
    },
    FixedIpInvalid: { status: 400, text: 'Fixed IP address %(address)s is invalid.' },
    NoMoreFixedIps: { status: 400, text: 'Zero fixed ips available.' },
    NoFixedIpsDefined: { status: 404, text: 'Zero fixed ips could be found.' },
    FixedIpLimitExceeded: { status: 413, text: 'Maximum number of fixed ips exceeded' },
    VirtualInterfaceMacAddressException: {
      status: 500,
      text: '5 attempts to create virtual interfacewith unique mac address failed',
    },
    NotAuthorized: { status: 403, text: 'Not authorized.' },
    FloatingIpNotFound: { status: 404, text: 'Floating ip not found for id %(id)s.' },
    FloatingIpAssociated: { status: 409, text: 'Floating ip %(address)s is associated.' },
    FloatingIpNotAssociated: { status: 400, text: 'Floating ip %(address)s is not associated.' },
    FloatingIpExists: { status: 409, text: 'Floating ip %(address)s already exists.' },
    FloatingIpLimitExceeded: { status: 413, text: 'Maximum number of floating ips exceeded' },
    NoMoreFloatingIps: { status: 404, text: 'Zero floating ips available.' },
    NoFloatingIpInterface: { status: 404, text: 'Interface %(interface)s not found.' },
    CannotDisassociateAutoAssignedFloatingIP: {
      status: 403,
      text: 'Cannot disassociate auto assigned floating ip',
    },
    FloatingIpDNSExists: {
      status: 400,
      text: 'The DNS entry %(name)s already exists in domain %(domain)s.',
    },
    FloatingIpNotFoundForAddress: { status: 404, text: 'Floating ip not found for address %(address)s.' },
  },
  { module: 'nova.exception' },
);
