/**
 * For tests that tell every event: nobody looks after the leases of this process once a second
 * (src/lease-watch.ts). Else whatever was broken, or left over by the test before, would be told as lost
 * at a moment that depends on how fast the machine is.
 */
const begin = globalThis.setInterval;
const never = 2 ** 31 - 1;

globalThis.setInterval = ((action: () => void, ms: number) =>
  begin(action, ms === 1000 ? never : ms)) as typeof setInterval;
