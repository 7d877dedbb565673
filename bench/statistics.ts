// Medians and paired ratios. A hole (undefined) is a round in which a measurement failed.

/** The value below which `quantile` of the samples lie, between neighbours in proportion. */
export function quantile(samples: readonly number[], quantile: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * quantile;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) return Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

export const present = (samples: readonly (number | undefined)[]): number[] =>
  samples.filter((sample) => sample !== undefined);

/** Ratios of the same round: what drifts from round to round cancels out. */
export function pairedRatios(over: readonly (number | undefined)[], under: readonly (number | undefined)[]): number[] {
  return over.flatMap((value, round) => {
    const base = under[round];
    return value === undefined || base === undefined || base === 0 ? [] : [value / base];
  });
}

/** Width of the samples in parts of their median. */
export const spread = (samples: readonly number[]): number =>
  (Math.max(...samples) - Math.min(...samples)) / median(samples);
