/** The figures for people: what they were measured on, and one row for each of them. */
import Table from 'cli-table3';

export function heading({ machine, versions }) {
  const lines = Object.entries({ ...machine, ...versions });
  const width = Math.max(...lines.map(([key]) => key.length));
  return lines.map(([key, value]) => `${key.padEnd(width)}  ${value}`).join('\n');
}

export function table(rows) {
  const table = new Table({
    head: ['measurement', 'contender', 'median', 'quartiles', 'floor', 'quartiles', 'x', 'aim', ''],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'left', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, contender, unit, figure, floor, ratio, aim, met } of rows) {
    table.push([
      name,
      contender,
      figure === null ? '-' : `${number(figure.median)} ${unit}`,
      quartiles(figure),
      floor === null ? '-' : `${number(floor.median)} ${unit}`,
      quartiles(floor),
      ratio === null ? '-' : ratio.toFixed(2),
      aimText(aim, unit),
      met === null ? '' : met ? 'met' : 'missed',
    ]);
  }
  return table.toString();
}

const quartiles = (figure) =>
  figure === null ? '-' : `${number(figure.q1)}..${number(figure.q3)}`;

function aimText(aim, unit) {
  if (aim === null) return '-';
  return aim.ratio === undefined ? `<= ${aim.below} ${unit}` : `<= ${aim.ratio} x floor`;
}

/** Three significant digits are more than a benchmark can vouch for. */
const number = (value) => (value < 100 ? value.toPrecision(3) : value.toFixed(0));
