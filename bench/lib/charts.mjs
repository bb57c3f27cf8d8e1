/** Which charts there are, and what is on them; chart.mjs draws. */
import { chart } from './chart.mjs';
import { medianOf } from './report.mjs';

const charts = {
  overview: {
    title: 'What a lock costs',
    panels: [
      'lock + release, async',
      'counter, 10 x 20',
      'hand-over, 10 processes, p50',
      'CPU of 10 waiting processes',
    ],
  },
  uncontended: {
    title: 'Nobody else wants it',
    panels: ['try + release, sync', 'lock + release, async', 'lease, attached', 'lease, durable'],
  },
  contended: {
    title: 'Processes that add to one counter, 20 times each',
    panels: ['counter, 2 x 20', 'counter, 4 x 20', 'counter, 10 x 20', 'counter, 32 x 20'],
  },
  'hand-over': {
    title: 'From the release in one process to the grant in the next',
    panels: [
      'hand-over, 2 processes, p50',
      'hand-over, 10 processes, p50',
      'hand-over, 10 processes, p99',
      'hand-over, 32 processes, p50',
      'SIGKILL to grant',
    ],
  },
  waiting: {
    title: 'What waiting costs',
    panels: [
      'CPU of 10 waiting processes',
      'fs.stat, 4 waits for one file',
      'fs.stat, 1000 waits for a file each',
      'memory of a wait, 1000 for a file each',
    ],
  },
};

/** `[name, svg]` of every chart of which something was measured. */
export function drawAll({ rows, versions, machine, date }) {
  const notes = [
    'Median and quartiles on a logarithmic axis. Left is better.',
    `holdfast ${versions.holdfast}, Node ${versions.node}, ${machine.cpu}, ${machine.cores} cores, ${date.slice(0, 10)}`,
  ];
  return Object.entries(charts).flatMap(([name, { title, panels }]) => {
    const drawn = panels.flatMap((panel) => panelOf(panel, rows));
    return drawn.length === 0 ? [] : [[name, chart({ title, notes, panels: drawn })]];
  });
}

function panelOf(name, rows) {
  const shown = rows.filter((row) => row.name === name);
  if (!shown.some(({ figure }) => figure?.median > 0)) return [];
  return [{ title: `${name}, ${shown[0].unit}`, rows: shown.map(rowOf) }];
}

function rowOf(row) {
  const { contender, own, peer, figure } = row;
  return {
    label: contender,
    kind: own ? 'own' : peer ? 'peer' : 'floor',
    figure,
    text: medianOf(row),
  };
}
