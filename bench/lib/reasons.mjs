/** What the page says about goals: where the time goes, what was not reached, why, and what the limit is. */
import { number, withUnit } from './report.mjs';

/** Where the time of a pair goes: the same system calls in C, and what comes on top of them. */
const anatomies = [
  ['try + release, sync', 'holdfast, no sidecar', 'C, no sidecar', 'six'],
  ['try + release, sync', 'holdfast', 'C, sidecar', 'eleven'],
  ['lock + release, async', 'holdfast, no sidecar', 'C, no sidecar', 'six'],
  ['lock + release, async', 'holdfast', 'C, sidecar', 'eleven'],
  ['lease, attached', 'holdfast lease', 'C, same calls', '27, and a sync every 4.5 minutes'],
  ['lease, renewal', 'holdfast lease, renewal', 'C, same calls', 'nine'],
];

export function anatomyLines(rows) {
  const find = (name, contender) =>
    rows.find((row) => row.name === name && row.contender === contender && row.figure !== null);
  return anatomies.flatMap(([name, ours, floor, calls]) => {
    const [whole, inC] = [find(name, ours), find(name, floor)];
    if (whole === undefined || inC === undefined) return [];
    const [all, system] = [whole.figure.median, inC.figure.median];
    const rest = all - system;
    const share = `${number((100 * rest) / all)} %`;
    return [
      [`${name}: ${ours}`, calls, ...[all, system, rest].map((us) => withUnit(us, 'us')), share],
    ];
  });
}

export const anatomyText = `What C takes for the same system calls is the kernel's; the rest is the library's: arguments checked, the path turned into bytes,
Node-API, an object for what is held, and promises. Of a lease, 57 % of a loop are spent in the addon, system calls included (\`node --cpu-prof\`,
20 000 pairs), and nothing else takes more than 4 %: a record is put together and sealed (JSON, a checksum), the note of the lease before is
read and the next one written, clocks are read.`;

export const triedText = `It helped:

- A token without a sync ([ADR 16](adr/0016-tokens-by-the-boot-clock.md)): a lease from one process to another, p50 1375 to 387 us; 10 x 20
  increments, 167 to 84 ms.
- The thread that waited lets the event loop go first (sched_yield(2)), which was often woken onto its processor, and waited there for its
  end: a file lock from one process to another, p50 117 to 102 us (400 of them, 3 ms apart), and
  113 to 72 us while the machine had other things to do.
- That thread is joined when the next grant comes, not before this one.
- Bytes cross the border of the addon as strings. A Buffer made there costs ten times as much.
- Who hears the end of a holder whose record still stands expects it to be dead, and takes the lease in one change instead of a look and a
  change: from the end of the descriptors to the grant 1.09 to 0.94 ms (three quick runs of each, in turn).
- Records are taken apart and put together field by field. To copy the rest of a destructured object, and to add a field to a spread, or
  replace one, V8 goes through its runtime each time (\`node --log-ic\` shows the misses): an attached lease in a loop, 120 to 92 us; a
  list and a sweep of 2000 names, 90 and 84 to 52 and 47 us a name.
- Who waits for a lease looks without the guard first, whether somebody who lives has it without a TTL: ten processes that wait,
  1.25 to 0.40 % of a core in their first five seconds, 0.51 to 0.25 % later.
- The command is one file: on top of a start of Node it takes half of what it took as 26 modules.

It did not:

- Less courtesy towards waiters. Without any ten processes count to 200 in 12.5 ms instead of 22, which is what it takes the peers; with a millisecond in which a process may take the lock again and again before it stays away, as in Go's
  mutex, in 16 (three quick runs of each, in turn). Neither comes near the goal, and a waiter beside a loop would starve again.
- A thread that stays for the next wait, instead of a new one each time: counter and hand-over as before, within the spread. In a trace of
  ten processes (\`perf record -e 'sched:*,raw_syscalls:*'\`) some 40 of 100 us of a hand-over lie between the wake-up of the event
  loop and the first system call that the library makes there: code that has not run for a while. In a loop it is a few.`;

/** Why a goal is not reached, and what the limit is; by the beginning of its text. */
const reasons = {
  'sync, no sidecar: of C': () =>
    `**Sync, against C.** The system calls are the same; what is on top of them is in the table below. In a profile of the loop (\`perf record\`, a
million pairs without a sidecar) 64 % are the kernel's and 13 % the C library's, which is what C has as well; 12 % are Node's, for two calls
of Node-API and a path that becomes bytes; 7 % are compiled JavaScript, and 4 % the addon. The last two are what is ours to save: about 0.8 is the limit. With a sidecar there is twice as much
of all of it, for eleven system calls.`,
  'sync, no sidecar: of fs-ext': ({ median, times }) =>
    `**Sync, against fs-ext.** A lock of fs-ext is three system calls: open, flock, close. Ours is six: it makes sure that the file is
a regular one, and that the path still names what was locked, and it unlocks before it closes, for a forked child
may share the descriptor. C makes the six in ${median('try + release, sync', 'C, no sidecar')}, ${times('try + release, sync', 'fs-ext', 'C, no sidecar')} as fast as fs-ext, and that is
the limit; a file that is kept open needs no more than two, and does not keep the tasks of one process apart.`,
  'async, no sidecar: of the best peer': ({ median, times }) =>
    `**Async, against the best peer.** That is fs-native-extensions, by way of its attempt that makes no promise, and three
system calls (open, fcntl, close) in the place of six. C makes the six in ${median('lock + release, async', 'C, no sidecar')}, without a promise:
${times('lock + release, async', 'fs-native-extensions', 'C, no sidecar')} as fast as that peer is the limit.`,
  'async, sidecar: of the best peer': ({ median, times }) =>
    `**Async with a sidecar.** Eleven system calls instead of the peer's three: the holder reads who was there before, signs in, and signs
out. C makes them in ${median('lock + release, async', 'C, sidecar')}: ${times('lock + release, async', 'fs-native-extensions', 'C, sidecar')} as fast as that peer is the limit,
and ${times('lock + release, async', 'proper-lockfile', 'C, sidecar')} as fast as proper-lockfile. What we take on top is in the table below. Who does not need the holder's name has \`sidecar: false\`.`,
  'counter, 10 x 20': ({ median }) =>
    `**The counter.** A process that releases while others wait stays away for 100 us, so that one of them gets in
([ADR 8](adr/0008-waiting-letter.md)); nearly every increment is a hand-over then. A peer that lets the process that is running take the lock
again at once has fewer hand-overs, and is quicker in all; C does the same in ${median('counter, 10 x 20', 'C')}. What it
buys is not in this figure: without it a process that waits beside such a loop has four grants in five seconds. For one that lets others
in, 200 hand-overs as quick as those of C are the limit: ${median('hand-over, 10 processes, p50', 'C', 200)}.`,
  'hand-over': ({ median }) =>
    `**Hand-over.** Between the release and the grant the kernel wakes the waiting thread, which checks the path and hands the lock to
the event loop, which has to wake up as well: two wake-ups and a promise. C processes, with one wake-up between them, take
${median('hand-over, 2 processes, p50', 'C')} (p50) and ${median('hand-over, 2 processes, p99', 'C')} (p99) between two, ${median('hand-over, 10 processes, p50', 'C')} and ${median('hand-over, 10 processes, p99', 'C')} between ten, ${median('hand-over, 32 processes, p50', 'C')} and ${median('hand-over, 32 processes, p99', 'C')} between 32: with an event
loop it is twice that at the least, and most of the rest is code of Node's and ours that runs cold (below). A quarter of the best peer's p99 is
hardly more than C takes. The peers that wait in the kernel make the same two wake-ups, on a thread of libuv's pool that
is there already (fs-ext, os-lock), or like us on one of their own (fs-native-extensions). The first kind is quicker between ten and more, at the price that
is to be seen under [Waiting](#waiting): four waits, and nothing else of the process goes on.`,
  'lease, attached': ({ median, times }) =>
    `**The attached lease.** The lock file in C is five system calls; a lease is 27, for the guard, the token, and the checks
that a lock file does without ([protocol](protocol.md)). C takes ${median('lease, attached', 'C, same calls')} for them, ${times('lease, attached', 'C, lock file', 'C, same calls')} of the lock file, and is the limit. The rest is spread thinly (below).`,
  'lease, durable': ({ median }) =>
    `**The durable lease** syncs three times by design, the C beside it twice: the record and its folder before the grant, and the folder again
after the release, so that a lease that was given back does not come back after a power cut. With ${median('lease, durable', 'C, lock file, synced')} for two syncs, three of
them are ${median('lease, durable', 'C, lock file, synced', 1.5)}, and 0.67 is the limit, but for what one sync differs from the next; holdfast takes ${median('lease, durable', 'holdfast lease, durable')}.`,
  'holdfast lease: end of descriptors': () =>
    `**A lease after a death.** The waiter's thread wakes the event loop, which judges what the dead left and takes the lease in one change under the
guard; a file lock is its own when the thread wakes.`,
  'holdfast lease: CPU': ({ median }) =>
    `**CPU of those who wait for a lease.** Each process looks at the lease every second or two, for the case that the head of the line was
stopped, and the head once a second ([protocol](protocol.md#waiting)). Code that has not run for a second is cold: a timer that does nothing costs
0.2 ms, and a look 0.35. A collection of V8's garbage, some seconds after a start, may come
on top (25 ms, in an idle process as well). Ten idle processes burn ${median('CPU of 10 waiting processes', 'idle processes')}.`,
};

export function afterGoals({ goals, rows }) {
  const find = (name, contender) =>
    rows.find((each) => each.name === name && each.contender === contender)?.figure?.median;
  const unitOf = (name) => rows.find((each) => each.name === name)?.unit ?? '';
  const median = (name, contender, factor = 1) => {
    const value = find(name, contender);
    return value === undefined ? '-' : withUnit(value * factor, unitOf(name));
  };
  /** How many times as fast as a peer C would be. */
  const times = (name, peer, inC) => {
    const [a, b] = [find(name, peer), find(name, inC)];
    return a === undefined || b === undefined ? '-' : `${number(a / b)} x`;
  };
  const missed = goals.filter(({ met }) => met === false);
  const told = Object.entries(reasons).filter(([begin]) =>
    missed.some(({ text }) => text.startsWith(begin)),
  );
  return told.map(([, reason]) => reason({ median, times })).join('\n\n');
}
