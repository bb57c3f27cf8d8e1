/**
 * What we want of the figures: ratios within one run, and a few limits. A goal is judged by the
 * medians; a ratio is the median of the ratios round by round.
 *
 * "The best peer" is the quickest of the libraries that lets nobody in twice. Two of them are measured
 * on a file that stays open, too; such a lock does not keep two tasks of one process apart, and the
 * comparison with it is shown without being a goal.
 */
import { ratio } from './lib/stats.mjs';

const sync = 'try + release, sync';
const async = 'lock + release, async';
const bare = 'holdfast, no sidecar';

/** Of rows, all goals: `{ text, limit, atLeast, value, unit, detail, met }`. */
export function judge(rows) {
  const find = (name, contender) =>
    rows.find((row) => row.name === name && row.contender === contender);
  const bestPeer = (name, kept) =>
    rows
      .filter((row) => row.name === name && row.peer && row.excludes && row.figure !== null)
      .filter((row) => kept || !row.kept)
      .sort((a, b) => a.figure.median - b.figure.median)[0];
  const to = (other) => (name) => find(name, other);
  const toBest = (name) => bestPeer(name, false);
  const toBestKept = (name) => bestPeer(name, true);

  const faster = (text, atLeast, name, ours, other) => {
    const row = find(name, ours);
    const beside = other(name);
    const value = row?.figure && beside?.figure ? ratio(beside.values, row.values) : null;
    return goal({ text, limit: atLeast, atLeast: true, value, unit: 'x', row, beside });
  };
  const slower = (text, atMost, name, ours, other) => {
    const row = find(name, ours);
    const beside = other(name);
    const value = row?.figure && beside?.figure ? ratio(row.values, beside.values) : null;
    return goal({ text, limit: atMost, atLeast: false, value, unit: 'x', row, beside });
  };
  const under = (text, limit, name, ours) => {
    const row = find(name, ours);
    const value = row?.figure?.median ?? null;
    return goal({ text, limit, atLeast: false, value, unit: row?.unit ?? '', row });
  };
  const grows = (text, limit, few, many, ours) => {
    const [row, beside] = [find(many, ours), find(few, ours)];
    const value = row?.figure && beside?.figure ? row.figure.median / beside.figure.median : null;
    return goal({ text, limit, atLeast: false, value, unit: 'x', row, beside });
  };

  const goals = [
    faster('sync, no sidecar: of C', 0.8, sync, bare, to('C, no sidecar')),
    faster('sync, no sidecar: of fs-ext', 1, sync, bare, to('fs-ext')),
    faster('sync, no sidecar: of fs-ext, kept open', null, sync, bare, to('fs-ext, kept open')),
    faster('sync, sidecar: of C, same calls', 0.8, sync, 'holdfast', to('C, sidecar')),
    faster('sync, sidecar: of C, no sidecar', null, sync, 'holdfast', to('C, no sidecar')),
    faster('async, no sidecar: of the best peer', 1, async, bare, toBest),
    faster('async, no sidecar: of the best, kept open', null, async, bare, toBestKept),
    faster('async, sidecar: of the best peer', 0.7, async, 'holdfast', toBest),
    faster('async, sidecar: of proper-lockfile', 30, async, 'holdfast', to('proper-lockfile')),
    faster('counter, 10 x 20: of the best peer', 2.5, 'counter, 10 x 20', 'holdfast', toBest),
    ...[2, 10, 32].flatMap((count) =>
      Object.entries({ p50: 0.5, p99: 0.25 }).map(([p, limit]) => {
        const name = `hand-over, ${count} processes, ${p}`;
        return slower(`${name}: of the best peer`, limit, name, 'holdfast', toBest);
      }),
    ),
    faster(
      'lease, attached: of a lock file in C',
      0.4,
      'lease, attached',
      'holdfast lease',
      to('C, lock file'),
    ),
    faster(
      'lease, attached: of C, same calls',
      null,
      'lease, attached',
      'holdfast lease',
      to('C, same calls'),
    ),
    faster(
      'lease, durable: of C',
      0.8,
      'lease, durable',
      'holdfast lease, durable',
      to('C, lock file, synced'),
    ),
    ...['holdfast', 'holdfast lease'].flatMap((ours) => [
      under(`${ours}: end of descriptors to grant`, 1, 'end of descriptors to grant', ours),
      under(`${ours}: SIGKILL to grant, in all`, null, 'SIGKILL to grant', ours),
    ]),
    ...['holdfast', 'holdfast lease'].map((ours) =>
      under(`${ours}: CPU of 10 waiting processes`, 0.5, 'CPU of 10 waiting processes', ours),
    ),
    ...['one file', 'a file each'].flatMap((files) => [
      under(
        `memory of a wait, 1000 for ${files}`,
        32,
        `memory of a wait, 1000 for ${files}`,
        'holdfast',
      ),
      grows(
        `fs.stat, 1000 waits for ${files}: of none`,
        1.25,
        `fs.stat, 0 waits for ${files}`,
        `fs.stat, 1000 waits for ${files}`,
        'holdfast',
      ),
    ]),
    ...[
      ['acquire + release beside 100000 names: of 10', 'acquire + release beside', 10, ''],
      ['list 100000 names, each: of 1000', 'list', 1_000, ', each'],
      ['sweep 100000 names, each: of 1000', 'sweep', 1_000, ', each'],
    ].map(([text, verb, few, rest]) =>
      grows(
        text,
        1.5,
        `${verb} ${few} names${rest}`,
        `${verb} 100000 names${rest}`,
        'holdfast lease',
      ),
    ),
  ];
  return goals.filter(({ value }) => value !== null);
}

function goal({ row, beside, ...given }) {
  const { value, limit, atLeast } = given;
  const figureOf = ({ contender, figure, unit }) => ({ contender, median: figure.median, unit });
  return {
    ...given,
    compared: [row, beside].filter((each) => each?.figure).map(figureOf),
    met: value === null || limit === null ? null : atLeast ? value >= limit : value <= limit,
  };
}
