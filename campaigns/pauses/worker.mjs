// Takes the lease, writes to the resource for a while, gives it back; again and again.
//
// The resource is reached over a socket: whoever is stopped in the midst of a write holds up nobody
// there.
//
// Usage: worker.mjs FOLDER SOCKET NUMBER
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { library } from '../campaign.mjs';

const { Leases } = await library();
const [dir, socket, number] = process.argv.slice(2);
const leases = new Leases({ dir });

const resource = connect(socket);
const answers = createInterface({ input: resource })[Symbol.asyncIterator]();
const ask = async (question) => {
  resource.write(`${JSON.stringify({ ...question, worker: Number(number) })}\n`);
  return JSON.parse((await answers.next()).value);
};

for (;;) {
  try {
    const lease = await leases.acquire('resource', { ttl: 150, timeout: 20_000 });
    const { token } = lease.toJSON();
    await ask({ what: 'enter', token });
    for (let i = 0; i < 5; i++) {
      await ask({ what: 'write', token });
      await sleep(10);
    }
    await ask({ what: 'leave', token });
    await lease.release();
  } catch (error) {
    await ask({ what: 'failed', code: error.code ?? String(error) });
  }
}
