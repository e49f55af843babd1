// The keyboard: keys that work on every page, and the help that lists them. All of
// them are single characters, so they can be switched off, for those who speak to
// their computer or type by accident.

const goWait = 1500; // between g and the key after it, in milliseconds

// startKeys listens to the keys from now on.
export function startKeys() {
  const dialog = document.querySelector("[data-help-dialog]");
  if (!dialog) return;
  const help = () => dialog.showModal(); // it closes by Escape, and gives the focus back
  document.querySelector("[data-help]").addEventListener("click", help);
  const toggle = dialog.querySelector("[data-keys-switch]");
  toggle.checked = switchedOn();
  toggle.addEventListener("change", () => remember(toggle.checked));

  let going = 0; // when g was pressed
  const keys = {
    "/": search,
    j: () => step(1),
    k: () => step(-1),
    o: openRow,
    t: () => press("[data-theme-toggle]"),
    "?": help,
    g: (e) => (going = e.timeStamp),
  };
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || e.defaultPrevented || dialog.open || !toggle.checked || isTyping(e.target)) return;
    const go = going > 0 && e.timeStamp - going < goWait;
    going = 0;
    const act = go ? () => press(`[data-go="${CSS.escape(e.key)}"]`) : Object.hasOwn(keys, e.key) && keys[e.key];
    if (act && act(e) !== false) e.preventDefault();
  });
}

const isTyping = (el) => Boolean(el.closest?.("input:not([type='checkbox']), select, textarea, [contenteditable]"));

// press clicks on an element, and reports false where there is none.
function press(selector) {
  const el = document.querySelector(selector);
  if (!el) return false;
  el.click();
}

function search() {
  const field = document.querySelector("[data-search]");
  if (!field?.checkVisibility()) return false;
  field.focus();
  field.select();
}

const rows = () => [...document.querySelectorAll("main tbody th[scope='row'] a[href]")].filter((a) => a.checkVisibility());

// step goes a row on, or back; from elsewhere to the first.
function step(by) {
  const all = rows();
  if (all.length === 0) return false;
  const here = all.findIndex((a) => a.closest("tr").contains(document.activeElement));
  const next = all[here < 0 ? 0 : Math.max(0, Math.min(all.length - 1, here + by))];
  next.focus({ preventScroll: true });
  next.closest("tr").scrollIntoView({ block: "nearest" });
}

function openRow() {
  const link = rows().find((a) => a.closest("tr").contains(document.activeElement));
  if (!link) return false;
  link.click();
}

function switchedOn() {
  try {
    return localStorage.getItem("keys") !== "off";
  } catch {
    return true; // storage is switched off
  }
}

function remember(on) {
  try {
    if (on) localStorage.removeItem("keys");
    else localStorage.setItem("keys", "off");
  } catch {
    // it holds for this page
  }
}
