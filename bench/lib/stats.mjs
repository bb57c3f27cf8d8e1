/**
 * Medians and their spread. A machine that does other things makes single rounds slow, never fast;
 * the median over many short rounds and the quartiles around it tell how far to believe a figure.
 */

/** The value below which the share `q` of the sorted numbers lies, interpolated. */
export function quantile(sorted, q) {
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  const high = Math.ceil(at);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** The quantile of numbers in any order; NaN of nothing. */
export const quantileOf = (values, q) =>
  values.length === 0
    ? NaN
    : quantile(
        [...values].sort((a, b) => a - b),
        q,
      );

/** Median, quartiles and extremes; null of nothing. A round without a result (NaN) is left out. */
export function summary(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  return {
    median: quantile(sorted, 0.5),
    q1: quantile(sorted, 0.25),
    q3: quantile(sorted, 0.75),
    min: sorted[0],
    max: sorted.at(-1),
    rounds: sorted.length,
  };
}

/**
 * How many times `others` are of `values`: the median of the ratios round by round, for what
 * disturbs one round of the one usually disturbs the round of the other beside it too.
 */
export function ratio(values, others) {
  const pairs = Math.min(values.length, others.length);
  return summary(values.slice(0, pairs).map((value, i) => value / others[i]))?.median ?? null;
}
