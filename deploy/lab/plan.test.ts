import { describe, expect, it } from 'vitest';
import { planHosts, SERVERS, SERVICES, START_ORDER } from './plan.ts';

describe('the plan of a lab', () => {
  it('has a controller, a network and objects on the addresses of the guide', () => {
    const [controller, network, storage] = planHosts({ hosts: 3, brokers: 1, twins: false });
    expect([controller, network, storage].map(host => host?.address)).toEqual([
      '172.16.200.6',
      '172.16.200.7',
      '172.16.200.8',
    ]);
    expect(controller?.servers).toEqual(SERVERS);
    expect(controller?.services).not.toContain('nova-compute');
    expect(network?.services).toEqual(['nova-network', 'nova-api-metadata', 'nova-compute']);
    expect(storage?.services).toContain('swift-object-server');
  });

  it('runs each service once, and compute on all but the controller', () => {
    for (const hosts of [1, 2, 3, 5]) {
      const all = planHosts({ hosts, brokers: 1, twins: false }).flatMap(({ services }) => services);
      for (const name of Object.keys(SERVICES).filter(name => name !== 'nova-compute'))
        expect(all.filter(one => one === name)).toHaveLength(1);
      expect(all.filter(name => name === 'nova-compute')).toHaveLength(Math.max(1, hosts - 1));
    }
  });

  it('has brokers and twins where they are asked for', () => {
    const plan = planHosts({ hosts: 3, brokers: 3, twins: true });
    expect(plan.filter(({ servers }) => servers.includes('rabbitmq'))).toHaveLength(3);
    expect(plan.filter(({ services }) => services.includes('nova-api'))).toHaveLength(2);
  });

  it('starts every service, each behind keystone', () => {
    expect(START_ORDER.flat().sort()).toEqual(Object.keys(SERVICES).sort());
    expect(START_ORDER[0]).toEqual(['keystone-all']);
  });
});
