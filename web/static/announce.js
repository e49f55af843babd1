// What the heading of a list says, read out by screen readers as it changes: not more
// often than one can listen, and then what it says by that time.

const quiet = 15_000; // between two announcements, in milliseconds

export function announceHeading() {
  const place = document.querySelector("[data-announce]");
  const text = () => document.querySelector("[data-part='summary'] h1").textContent.trim();
  let said = text();
  let last = -quiet;
  let timer = 0;
  const say = () => {
    timer = 0;
    if (text() === said) return;
    last = performance.now();
    place.textContent = said = text();
  };
  document.addEventListener("parts", () => {
    if (text() !== said) timer ||= setTimeout(say, Math.max(0, last + quiet - performance.now()));
  });
}
