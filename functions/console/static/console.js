// Draws what is live anew while somebody looks. Without this script the pages work the same.
(() => {
  "use strict";
  let timer = 0;

  const busy = (part) => part.contains(document.activeElement) && document.activeElement !== document.body;

  const secondsOf = (part) => Number(part?.dataset.refresh) || 0;

  const stale = (old) => { document.getElementById("stale").hidden = !old; };

  const plan = () => {
    window.clearTimeout(timer);
    const part = document.getElementById("live");
    const seconds = secondsOf(part);
    if (!document.hidden && seconds > 0) timer = window.setTimeout(refresh, seconds * 1000);
  };

  const refresh = async () => {
    const part = document.getElementById("live");
    if (!part || document.hidden) return;
    if (busy(part)) return plan();
    try {
      const address = new URL(window.location.href);
      address.searchParams.delete("anew");
      const answer = await fetch(address, { redirect: "error", credentials: "same-origin" });
      if (!answer.ok) throw new Error(answer.statusText);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
      const open = [...part.querySelectorAll("details")].map((it) => it.open);
      if (fresh) {
        [...fresh.querySelectorAll("details")].forEach((it, place) => { it.open = open[place] ?? it.open; });
        // What is no longer under way has other acts, which stand outside: draw all of the page.
        if (secondsOf(part) && !secondsOf(fresh)) return window.location.replace(address);
        part.replaceWith(fresh);
      }
      stale(!fresh);
    } catch {
      stale(true); // The next look tries again.
    }
    plan();
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? window.clearTimeout(timer) : refresh()));

  // A double click sends a form once. After a while it may be sent again, as an export may.
  document.addEventListener("submit", (sent) => {
    const form = sent.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) return sent.preventDefault();
    form.dataset.sent = "yes";
    window.setTimeout(() => { delete form.dataset.sent; }, 3000);
  });

  // One tick selects all rows of the page.
  const picks = () => [...document.querySelectorAll('input[name="pick"]')];
  const head = document.querySelector("table.rows thead th .hide");
  if (head && picks().length) {
    const all = document.createElement("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", head.textContent);
    all.addEventListener("change", () => picks().forEach((it) => { it.checked = all.checked; }));
    head.replaceWith(all);
  }
  plan();
})();
