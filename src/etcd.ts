/** holdfast/etcd: the same leases, across machines. */
import { EtcdStore } from './store/etcd/etcd-store.js';
import type { EtcdOptions } from './store/etcd/options.js';
import type { LeaseStore } from './store/store.js';

export type { EtcdOptions, EtcdTls } from './store/etcd/options.js';

/**
 * Leases in an etcd, 3.4 or later, for all hosts that can reach it. Nothing is asked of it before the
 * first lease is. Close it by `await leases[Symbol.asyncDispose]()`; its connections do not keep a
 * program alive.
 *
 * A TTL is at least 2 s and comes in whole seconds; without one it is 30 s, renewed. There is no
 * liveness: the lease of a holder that crashed ends with its TTL (docs/scale-out.md).
 *
 * @throws {TypeError | RangeError} an option that makes no sense
 *
 * @example
 * const store = etcd({ endpoints: ['http://10.0.0.1:2379', 'http://10.0.0.2:2379'], prefix: 'shop' });
 * const leases = new Leases({ store });
 */
export function etcd(options: EtcdOptions): LeaseStore {
  return new EtcdStore(options);
}
