// One incident's page: it follows the incident, sends its forms without leaving the
// page, and copies the Markdown.

export function start(refresh) {
  document.addEventListener("submit", (e) => {
    const form = e.target.closest("[data-remark]");
    if (!form) return;
    e.preventDefault();
    send(form, e.submitter).then((sent) => sent && refresh());
  });
  document.addEventListener("click", (e) => {
    const button = e.target.closest("[data-copy]");
    if (button) copy(button);
  });
  return { incident: refresh };
}

// send sends what the form would, and says in it where that fails.
async function send(form, button) {
  const error = form.querySelector("[role='alert']");
  error.hidden = true;
  if (button) button.disabled = true;
  let sent = false;
  try {
    const answer = await fetch(button?.hasAttribute("formaction") ? button.formAction : form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    sent = answer.ok;
    if (!sent) error.textContent = `It was not saved: ${await reason(answer)}`;
  } catch {
    error.textContent = "It was not saved: the server can't be reached.";
  }
  error.hidden = sent;
  if (button) button.disabled = false;
  const text = form.elements.text;
  if (sent && text) text.value = "";
  return sent;
}

// reason is what the page of an error says.
async function reason(answer) {
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return page.querySelector("[data-detail]")?.textContent ?? `status ${answer.status}`;
}

async function copy(button) {
  const text = document.querySelector("[data-markdown]");
  text.select();
  try {
    await navigator.clipboard.writeText(text.value);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Selected: copy it with your keys"; // without https there is no clipboard
  }
  setTimeout(() => (button.textContent = "Copy"), 3000);
}
