// The reports of a site, and the probe that somebody asks for.

import { fill } from "./fragments.js";

// followProbe sends the button's probe, and shows what came of it in its place.
export function followProbe() {
  document.addEventListener("submit", (e) => {
    const form = e.target.closest("[data-probe]");
    if (!form) return;
    e.preventDefault();
    probe(form, form.querySelector("button"));
  });
}

async function probe(form, button) {
  const error = document.querySelector("[data-probe-error]");
  const said = document.querySelector("[data-probe-said]");
  if (form.dataset.busy !== undefined) return; // one at a time; the button keeps the focus
  form.dataset.busy = "";
  error.hidden = true;
  said.textContent = "Probing…";
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(`${form.action}?parts=probe`, { method: "POST", headers: { accept: "text/html" } });
    const text = await answer.text();
    if (answer.ok) fill(text);
    else error.textContent = new DOMParser().parseFromString(text, "text/html").querySelector("[data-detail]")?.textContent ?? `status ${answer.status}`;
    error.hidden = answer.ok;
  } catch {
    error.textContent = "The server can't be reached.";
    error.hidden = false;
  }
  if (!error.hidden) said.textContent = "";
  delete form.dataset.busy;
  button.removeAttribute("aria-disabled");
}
