// A process with several who go for the same lease.
import { createRequire } from 'node:module';

import { endWithCampaign, library } from '../campaign.mjs';
import { serve } from '../../test/fixtures/serve.mjs';

const { Leases } = await library();
let leases;
let witness;
const kept = [];

endWithCampaign();

serve({
  open(dir, addon, book) {
    leases = new Leases({ dir });
    witness = createRequire(import.meta.url)(addon);
    witness.open(book);
  },

  /** So many at once: what each was granted, when, and how the lease before had ended. */
  contend: (name, count) =>
    Promise.all(
      Array.from({ length: count }, async (_, stay) => {
        const since = witness.now();
        const lease = await leases.acquire(name, { timeout: 60_000 });
        const at = witness.now();
        witness.enter(stay, Number(name), lease.token, since);
        await new Promise(setImmediate);
        witness.leave(stay);
        const ended = await lease.release();
        return { token: lease.token, at, before: lease.previous?.end ?? null, ended };
      }),
    ),

  /** Takes it, and keeps it for as long as it lives. */
  async keep(name) {
    kept.push(await leases.acquire(name));
  },
});
