/** What the page says around its figures: what was measured how, and what limits it. */
export const opening = `What a lock costs on one machine, against every library that one would pick instead, and against
C that makes the system calls and nothing else. All figures are of one run of \`npm run bench\`, in
which everybody took turns: medians, over many short rounds in processes of their own. Less is better, except
for grants a second. The figures of another machine are others; the ratios are less so.`;

const hand = (count) => [
  `${count} processes: p50 / p90 / p99`,
  ...['p50', 'p90', 'p99'].map((p) => `hand-over, ${count} processes, ${p}`),
];
const stats = (files) => ({
  columns: [0, 1, 4, 64, 1000].map((step) => [
    `${step} waits for ${files}`,
    `fs.stat, ${step} waits for ${files}`,
  ]),
});

export const remarks = [
  {
    title: 'Nobody else wants it',
    text: `Lock and release in a loop, of a file that nobody else wants; median and quartiles. "Kept open" is a file that is opened once: fewer
system calls, but then two tasks of one process share what is locked, and both are let in. "C, no sidecar" makes the six calls that
\`sidecar: false\` needs, "C, sidecar" the eleven of the default.

![Nobody else wants it](../bench/results/uncontended.svg)`,
    tables: [
      {
        columns: [
          ['sync', 'try + release, sync'],
          ['async', 'lock + release, async'],
        ],
        spread: true,
      },
      {
        columns: [
          ['attached lease', 'lease, attached'],
          ['durable lease', 'lease, durable'],
          ['renewal', 'lease, renewal'],
        ],
        spread: true,
      },
    ],
  },
  {
    title: 'Everybody wants it',
    text: `Processes that add to one counter twenty times each, reading and writing it under the lock: until the last has done so. Who
loses an increment is not timed. C blocks in \`flock(2)\` and yields to nobody, so a process gets through its twenty turns before
the next one is awake.

![Everybody wants it](../bench/results/contended.svg)`,
    tables: [
      { columns: [2, 4, 10, 32].map((count) => [`${count} x 20`, `counter, ${count} x 20`]) },
    ],
  },
  {
    title: 'Hand-over',
    text: `From just before the release in one process until the promise of the next has resolved. Each of the processes holds the lock for two
milliseconds and asks again a millisecond later, so all the others are in line. The polls of proper-lockfile (1 to 5 ms) and lockfile (2 ms)
are set to be quick; by default they do not wait, or poll every 100 ms.

![Hand-over](../bench/results/hand-over.svg)`,
    tables: [{ columns: [2, 10, 32].map(hand) }],
  },
  {
    title: 'Fairness',
    text: `The same ten processes. A grant is out of order if somebody else had been in line 0.3 ms longer. In an even second everybody has as
many grants as the others, and nobody waits much longer than nine holds.`,
    tables: [
      {
        columns: [
          ['longest wait', 'fairness: longest wait'],
          ['out of order', 'fairness: granted out of order'],
          ['most grants / fewest', 'fairness: most grants / fewest'],
        ],
      },
    ],
  },
  {
    title: 'Death of the holder',
    text: `From SIGKILL to the grant of a process that waits. The kernel has to take the dead process down before anything is released, which
for Node takes it a millisecond or two: it frees the memory before it closes the descriptors. The last column begins when it closes the
first of them, as another process sees it at the end of a pipe; that may be a little late, and the figure less than nothing. Who polls for the age of a file waits
until it is stale.`,
    tables: [
      {
        columns: [
          ['in all', 'SIGKILL to grant'],
          ['in all, p99', 'SIGKILL to grant, p99'],
          ['from the end of the descriptors', 'end of descriptors to grant'],
        ],
        spread: true,
      },
    ],
  },
  {
    title: 'Waiting',
    text: `Ten processes that wait for five seconds for what an eleventh has, together; idle processes do the same without a lock. Then, in
one process with so many waits pending, how long an \`fs.stat\` takes; and in one that does nothing else, what a wait costs. "Does not
come back": all four threads of libuv's pool wait for a lock, and every \`fs\` call of the process with them.

![Waiting](../bench/results/waiting.svg)`,
    tables: [
      { columns: [['CPU', 'CPU of 10 waiting processes']] },
      stats('one file'),
      stats('a file each'),
      {
        columns: ['one file', 'a file each'].flatMap((files) => [
          [`memory, 1000 for ${files}`, `memory of a wait, 1000 for ${files}`],
          [`threads, 1000 for ${files}`, `threads of a wait, 1000 for ${files}`],
        ]),
      },
    ],
  },
  {
    title: 'Start-up',
    text: `The import in a process that has done nothing else, and commands from start to end.`,
    tables: [
      { columns: [['import', 'import']], spread: true },
      { columns: [['a command', 'a command, start to end']], spread: true },
    ],
  },
  {
    title: 'Growth',
    text: `A folder with so many names that are held: one lease more, granted and released; a list and a sweep of all of them, for each name. Then so many
processes that want one name: grants a second, between them.`,
    tables: [
      {
        columns: [10, 1_000, 100_000].map((count) => [
          `one more beside ${count} names`,
          `acquire + release beside ${count} names`,
        ]),
      },
      {
        columns: [10, 1_000, 100_000].flatMap((count) => [
          [`list ${count}`, `list ${count} names, each`],
          [`sweep ${count}`, `sweep ${count} names, each`],
        ]),
      },
      {
        columns: [2, 10, 50, 100].map((count) => [
          `${count} processes`,
          `${count} processes, one name`,
        ]),
      },
    ],
  },
  {
    title: 'Size',
    text: `What an installation brings, dependencies included. For holdfast it is what \`npm pack\` made here, which has the binaries that were
built here; a release has those of all platforms.`,
    tables: [
      {
        columns: [
          ['size', 'installed size'],
          ['packages', 'packages'],
        ],
      },
    ],
  },
];
