// Label selectors of the matchLabels kind.

export type Labels = Readonly<Record<string, string>>;

/** Whether every label of the selector is there with its value. An empty selector matches everything. */
export function selects(selector: Labels, labels: Labels): boolean {
  for (const name in selector) if (labels[name] !== selector[name]) return false;
  return true;
}
