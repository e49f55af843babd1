// One small window with words beside the pointer.

let tip = null;

// showTip shows a title and what follows it near a point of the window.
export function showTip(x, y, title, text) {
  if (!tip) {
    tip = document.createElement("div");
    tip.className = "tip";
    tip.append(document.createElement("bdi"), document.createElement("span"));
    document.body.append(tip);
  }
  tip.firstChild.textContent = title;
  tip.lastChild.textContent = text ? ` ${text}` : "";
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(x + 12, innerWidth - width - 8))}px`;
  tip.style.top = `${y + 20 + height > innerHeight ? y - height - 12 : y + 20}px`;
}

export function hideTip() {
  if (tip) tip.hidden = true;
}
