/**
 * The other end of child.mjs, in the child: answers one request after the other, and leaves when
 * the parent does.
 */

/** Says that it is ready, then answers what `handle` returns for each request. */
export function serve(handle) {
  process.on('disconnect', () => process.exit());
  process.on('message', async (request) => {
    try {
      process.send({ answer: await handle(request) });
    } catch (error) {
      process.send({ error: error.stack });
    }
  });
  process.send({ answer: 'ready' });
}

/** CLOCK_MONOTONIC, the same for all processes of a machine (clock_gettime(2)), in nanoseconds. */
export const now = () => process.hrtime.bigint();
