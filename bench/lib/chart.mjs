/**
 * Charts as SVG: dots on a logarithmic axis, for the figures lie orders of magnitude apart. A dot is
 * the median, the line through it goes from one quartile to the other; left is better. Who has no
 * figure has the reason instead.
 */
const width = 800;
const left = 255;
const right = 660;
const rowHeight = 20;
const colors = { own: '#0b62c4', peer: '#5a6472', floor: '#a15c00', failed: '#b3261e' };

/** `panels` are `{ title, rows }`; a row is `{ label, kind, figure, text }`, its figure maybe null. */
export function chart({ title, notes, panels }) {
  const parts = [];
  let y = 44 + notes.length * 16;
  for (const panel of panels) {
    parts.push(...panelAt(y, panel));
    y += 46 + panel.rows.length * rowHeight + 30;
  }
  const head = [
    text(20, 26, title, 'font-size="16" font-weight="bold"'),
    ...notes.map((note, i) => text(20, 46 + i * 16, note, `fill="${colors.peer}"`)),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#1f2328">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${y}" fill="#ffffff"/>`,
    ...head,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function panelAt(top, { title, rows }) {
  const scale = scaleOf(rows.flatMap(({ figure }) => (figure === null ? [] : reach(figure))));
  const first = top + 46;
  const bottom = first + rows.length * rowHeight;
  const parts = [text(20, top + 24, title, 'font-weight="bold"')];
  for (const value of scale.ticks) {
    const x = scale.at(value);
    parts.push(line(x, first - 8, x, bottom - 6, 'stroke="#d5d9de"'));
    parts.push(
      text(
        x,
        bottom + 8,
        String(value),
        `text-anchor="middle" fill="${colors.peer}" font-size="10"`,
      ),
    );
  }
  rows.forEach((row, i) => parts.push(...rowAt(first + i * rowHeight + 4, row, scale)));
  return parts;
}

function rowAt(y, { label, kind, figure, text: value }, scale) {
  const color = colors[kind];
  const weight = kind === 'own' ? ' font-weight="bold"' : '';
  const name = text(left - 14, y + 4, label, `text-anchor="end" fill="${color}"${weight}`);
  if (figure === null) return [name, text(left, y + 4, value, `fill="${colors.failed}"`)];
  const x = scale.at(figure.median);
  const [low, high] = [figure.q1, figure.q3].map((q) => scale.at(Math.max(q, scale.ticks[0])));
  return [
    name,
    line(low, y, high, y, `stroke="${color}" stroke-width="3" stroke-opacity="0.4"`),
    `<circle cx="${x.toFixed(1)}" cy="${y}" r="5" fill="${color}"/>`,
    text(right + 14, y + 4, value, `fill="${color}"${weight}`),
  ];
}

/** What has to be on the axis. Nothing below zero can be, and a median at zero is at its left end. */
const reach = ({ median, q3 }) => [median, q3].filter((value) => value > 0);

function scaleOf(values) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => Number(`1e${low + i}`));
  const at = (value) => {
    const share = (Math.log10(Math.max(value, ticks[0])) - low) / (high - low);
    return left + share * (right - left);
  };
  return { ticks, at };
}

const line = (x1, y1, x2, y2, style) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1}" x2="${x2.toFixed(1)}" y2="${y2}" ${style}/>`;

const text = (x, y, words, style = '') =>
  `<text x="${x.toFixed(1)}" y="${y}" ${style}>${escape(words)}</text>`;

const escape = (words) =>
  words.replace(
    /[&<>"]/g,
    (each) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[each],
  );
