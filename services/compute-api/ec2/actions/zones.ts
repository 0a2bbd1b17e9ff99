import { action } from '../http/action.ts';
import { listOf, text } from '../http/shapes.ts';

/** `2012-09-27 10:00:00`, as Python prints times; `None` without one. */
const pythonTime = (ms: number | null): string =>
  ms === null ? 'None' : new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

const describeZones = action({
  name: 'DescribeAvailabilityZones',
  about: 'Zones; with the zone `verbose`, for administrators, hosts and daemons too.',
  parameters: { ZoneName: listOf() },
  run: async ({ domain, context }, { ZoneName = [] }) => {
    const verbose = context.isAdmin && ZoneName.includes('verbose');
    const zones = await domain.hosts.zones(context);
    return {
      availabilityZoneInfo: zones.flatMap(zone => [
        { zoneState: zone.available ? 'available' : 'not available', zoneName: zone.name },
        ...(verbose ? zone.hosts : []).flatMap(({ host, services }) => [
          { zoneState: '', zoneName: `|- ${host}` },
          ...services.map(service => ({
            zoneState: `enabled ${service.up ? ':-)' : 'XXX'} ${pythonTime(service.updated_at)}`,
            zoneName: `| |- ${service.binary}`,
          })),
        ]),
      ]),
    };
  },
});

const describeRegions = action({
  name: 'DescribeRegions',
  about: 'Regions of `region_list`, or this cloud as the region `nova`.',
  parameters: { RegionName: text() },
  run: async ({ config }) => {
    const endpoint = (host: string) => `${config.ec2_scheme}://${host}:${config.ec2_port}${config.ec2_path}`;
    const regions = config.region_list.map(region => {
      const [name = '', host = ''] = region.split(/=(.*)/s);
      return { regionEndpoint: endpoint(host), regionName: name };
    });
    const own = { regionEndpoint: endpoint(config.ec2_host), regionName: 'nova' };
    return { regionInfo: regions.length > 0 ? regions : [own] };
  },
});

export const zoneActions = [describeZones, describeRegions];
