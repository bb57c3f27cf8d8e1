/** The figures for people: what they were measured on, a row for each of them, and the goals. */
import Table from 'cli-table3';

export function heading({ machine, versions, contenders }) {
  const lines = Object.entries({ ...machine, ...versions, against: peersOf(contenders) });
  const width = Math.max(...lines.map(([key]) => key.length));
  return lines.map(([key, value]) => `${key.padEnd(width)}  ${value}`).join('\n');
}

/** The libraries that are measured, with their versions; or why one is not. */
export const peersOf = (contenders) =>
  contenders
    .filter(({ name }) => !/holdfast|kept open/.test(name))
    .map(({ name, version, absent }) => (absent ? `${name} (${absent})` : `${name} ${version}`))
    .join(', ');

export function rowTable(rows) {
  const table = plain(['measurement', 'contender', 'median', 'quartiles'], [2, 3]);
  for (const row of rows) table.push([row.name, row.contender, medianOf(row), quartilesOf(row)]);
  return table.toString();
}

export function goalTable(goals) {
  const table = plain(['goal', 'is', 'should be', ''], [1, 2]);
  for (const each of goals) table.push([each.text, isOf(each), shouldBe(each), verdict(each)]);
  return table.toString();
}

export const medianOf = ({ figure, failure, unit }) =>
  figure === null ? (failure ?? '-') : withUnit(figure.median, unit);

export const quartilesOf = ({ figure }) =>
  figure === null || figure.rounds < 2 ? '' : `${number(figure.q1)}..${number(figure.q3)}`;

export const isOf = ({ value, unit }) => withUnit(value, unit);

export const shouldBe = ({ limit, atLeast, unit }) =>
  limit === null ? '' : `${atLeast ? '>=' : '<='} ${`${limit} ${unit}`.trim()}`;

export const verdict = ({ met }) => (met === null ? '' : met ? 'reached' : 'NOT REACHED');

export const withUnit = (value, unit) => `${number(value)} ${unit}`.trim();

/** Three significant digits are more than a benchmark can vouch for. */
export function number(value) {
  const digits = Math.abs(value) < 100 ? Number(value.toPrecision(3)) : Math.round(value);
  return String(digits);
}

function plain(head, right) {
  return new Table({
    head,
    colAligns: head.map((_, i) => (right.includes(i) ? 'right' : 'left')),
    style: { head: [], border: [], compact: true },
  });
}
