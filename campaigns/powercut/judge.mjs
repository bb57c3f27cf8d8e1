// Does the medium agree with the log? What each name may look like after a cut.

/**
 * `known`: name -> { token, kept } of the last lease that was granted according to the log. `found`:
 * what a new process saw, and the token that it was granted then. Returns what is wrong.
 */
export function judgeCut(known, found, total) {
  const faults = [];
  const { infos, next, left } = found;
  for (const [name, last] of known) {
    const info = infos.find((each) => each.name === name);
    if (last.kept) {
      // Granted and answered, and nobody has begun to give it back.
      const there = info?.state === 'held' && info.token === String(last.token);
      if (there) total.kept++;
      else faults.push(`${name}: detached ${last.token} is gone, found ${describe(info)}`);
    }
    if (info?.state === 'held' && BigInt(info.token ?? 0) < last.token) {
      faults.push(`${name}: ${describe(info)} came back after ${last.token}`);
    }
  }
  for (const info of infos) {
    const { state, kind, why } = info;
    const stale = ['dead', 'corrupt', 'expired', 'free'].includes(state);
    if (stale) total.stale++;
    else if (kind !== 'detached' || why !== 'detached')
      faults.push(`kept out by ${describe(info)}`);
  }
  for (const [name, text] of Object.entries(next)) {
    const token = BigInt(text);
    const before = known.get(name)?.token ?? 0n;
    const seen = BigInt(infos.find((each) => each.name === name)?.token ?? 0);
    if (token <= before) faults.push(`${name}: token ${token} after ${before} had been granted`);
    if (token <= seen) faults.push(`${name}: token ${token} after a record of ${seen}`);
    known.set(name, { token: token > before ? token : before, kept: false });
  }
  if (left.length > 0) faults.push(`left over: ${left.join(', ')}`);
  return faults;
}

function describe(info) {
  if (info === undefined) return 'nothing';
  const { name, state, why, kind, token } = info;
  return `${name} ${state} (${why}), ${kind} ${token}`;
}
