/** What the conformance suite has to know of etcd; a prefix of its own for each test. */
import http from 'node:http';

import { fileName } from '../../lib/names.js';
import { EtcdStore } from '../../lib/store/etcd/etcd-store.js';
import type { Site, Subject, Trouble } from './subject.js';
import type { Etcd } from '../helpers/etcd.js';

/** Without those that come with time, whatever is released. */
let requests = 0;
const { request } = http;
http.request = ((...args: Parameters<typeof request>) => {
  if ((args[0] as URL).pathname !== '/v3/lease/keepalive') requests++;
  return request(...args);
}) as typeof request;

const timeout = 5000;
let sites = 0;

export function siteOf(etcd: Etcd): Site {
  const prefix = `site${++sites}`;
  const options = { endpoints: etcd.endpoints, prefix, timeout };
  const nodes = [...etcd.members.keys()];
  const common = {
    code: 'ERR_LOCK_STORE_UNAVAILABLE',
    withinMs: timeout,
    keepsLeases: true,
  } as const;
  const troubles: Trouble[] = [
    {
      what: 'all servers stand still',
      ...common,
      async begin() {
        for (const node of nodes) await etcd.signal(node, 'SIGSTOP');
        return async () => {
          for (const node of nodes) await etcd.signal(node, 'SIGCONT');
        };
      },
    },
    {
      what: 'all servers are gone',
      ...common,
      async begin() {
        await Promise.all(nodes.map((node) => etcd.kill(node)));
        return async () => {
          await Promise.all(nodes.map((node) => etcd.run(node)));
        };
      },
    },
  ];
  return {
    where: { store: { module: 'store/etcd/etcd-store.js', name: 'EtcdStore', options } },
    troubles,
    open: () => new EtcdStore(options),
    // The holder stands in the line, too.
    untilInLine: (name, processes) =>
      etcd.untilCount(`${prefix}/line/${fileName(name)}/`, processes + 1),
    // Who is gone is passed over: by its key the order stands, whoever moves up when.
    untilMovedUp: () => Promise.resolve(),
    requests: () => requests,
    restart: () => etcd.restart(),
  };
}

export function subjectOf(etcd: Etcd, rounds: number): Subject {
  return { kind: 'etcd', rounds, site: () => Promise.resolve(siteOf(etcd)) };
}
