// The list of incidents: it follows them. Who reads older ones is left in peace.

import { announceHeading } from "./announce.js";
import { fetchParts, throttled } from "./fragments.js";

export function start() {
  announceHeading();
  const newest = () => document.querySelector("[data-part='list']").dataset.old === undefined;
  const follow = throttled(() => fetchParts(location.href, ["banner", "summary", "chips", ...(newest() ? ["list"] : [])]), 500);
  return { incident: follow, config: follow, resync: follow };
}
