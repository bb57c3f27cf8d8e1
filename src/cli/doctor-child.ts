/** The other process of `holdfast doctor`: takes the lease, says so, and holds it until it is killed. */
import { Leases } from '../leases.js';

const [dir = '', name = ''] = process.argv.slice(2);
const lease = await new Leases({ dir }).acquire(name, { timeout: 0 });
process.send?.(String(lease.token));
process.on('disconnect', () => {
  process.exit();
});
