// Words that the server says in the same way.

// latencyText is a latency given in microseconds; "–" where there is none.
export function latencyText(us) {
  if (!us || us < 0) return "–";
  const ms = us / 1000;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}
