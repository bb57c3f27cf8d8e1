/**
 * docs/performance.md: the goals, and a table of every measurement, from the figures of one run. What
 * the figures mean is told in lib/remarks.mjs.
 */
import { isOf, medianOf, number, peersOf, shouldBe, verdict, withUnit } from './report.mjs';
import { afterGoals, anatomyLines, anatomyText, triedText } from './reasons.mjs';
import { opening, remarks } from './remarks.mjs';

export function pageOf(results) {
  const { rows, goals } = results;
  const sections = remarks.map(({ title, tables, text }) => {
    const shown = tables.flatMap((each) => tableOf(each, rows));
    return shown.length === 0 ? '' : [`## ${title}`, text, ...shown].join('\n\n');
  });
  return [
    '<!-- Made by npm run bench, or npm run bench:docs, from bench/results; do not edit. -->',
    '# Performance',
    opening,
    caution(results),
    machineTable(results),
    '![What a lock costs](../bench/results/overview.svg)',
    '## Goals',
    goalTable(goals),
    afterGoals(results),
    ...anatomy(rows),
    '## What was tried',
    triedText,
    ...sections,
  ]
    .filter(Boolean)
    .join('\n\n');
}

/** What a reader has to know before believing any of it. */
function caution({ quick, machine }) {
  const busy = machine.load > machine.cores / 2;
  if (!quick && !busy) return '';
  const short = quick ? 'This was a short run, with few rounds. ' : '';
  const load = busy
    ? `The machine had much else to do (a load of ${machine.load} on ${machine.cores} cores). `
    : '';
  return `**Provisional.** ${short}${load}Do not quote these figures.`;
}

function machineTable({ machine, versions, contenders, date, took }) {
  const seconds = Object.values(took).reduce((sum, each) => sum + each, 0);
  const entries = {
    ...{ ...machine, filesystem: machine.filesystem.replace(/ \(.*/, '') },
    ...versions,
    against: peersOf(contenders),
    run: `${date.slice(0, 10)}, ${Math.round(seconds / 60)} minutes`,
  };
  return markdown(['', ''], Object.entries(entries));
}

function goalTable(goals) {
  const lines = goals.map((each) => [
    each.text,
    isOf(each),
    shouldBe(each),
    each.met === false ? `**${verdict(each)}**` : verdict(each),
    each.compared
      .map(({ contender, median, unit }) => `${contender} ${withUnit(median, unit)}`)
      .join('; '),
  ]);
  return markdown(['goal', 'is', 'should be', '', 'medians'], lines);
}

function anatomy(rows) {
  const lines = anatomyLines(rows);
  if (lines.length === 0) return [];
  const head = ['a pair', 'system calls', 'takes', 'in C', 'on top', ''];
  return ['## Where the microseconds go', anatomyText, markdown(head, lines)];
}

/**
 * A line for each contender and a column for each name. `columns` are `[head, names]`; several names
 * share a cell.
 */
function tableOf({ columns, spread = false }, rows) {
  const found = columns.filter(([, ...names]) => rows.some((row) => names.includes(row.name)));
  const names = found.flatMap(([, ...each]) => each);
  const contenders = [
    ...new Set(rows.filter((row) => names.includes(row.name)).map(({ contender }) => contender)),
  ];
  if (found.length === 0) return [];
  const lines = contenders.map((contender) => [
    contender,
    ...found.map(([, ...each]) => {
      const cell = each.map((name) =>
        rows.find((row) => row.name === name && row.contender === contender),
      );
      return cellOf(
        cell.filter((row) => row !== undefined),
        spread,
      );
    }),
  ]);
  return [markdown(['', ...found.map(([head]) => head)], lines)];
}

function cellOf(rows, spread) {
  if (rows.length === 0) return '';
  const [{ figure, failure, unit }] = rows;
  if (rows.length === 1) {
    if (!spread || figure === null || figure.rounds < 2) return medianOf(rows[0]);
    return `${medianOf(rows[0])} (${number(figure.q1)}..${number(figure.q3)})`;
  }
  if (failure !== null) return failure;
  return `${rows.map((row) => number(row.figure.median)).join(' / ')} ${unit}`;
}

function markdown(head, lines) {
  const row = (cells) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n');
}
