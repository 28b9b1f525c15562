// The drawer of details: what was clicked, explained; the address says what is open.
const PARTS = ["neighbourhood", "site", "proposed"];

export function drawer({ planId, radius, chosen, go }) {
  const box = document.getElementById("drawer");

  function address(kind, id) {
    const url = new URL(location.href);
    PARTS.forEach((part) => url.searchParams.delete(part));
    if (kind) url.searchParams.set(kind, id);
    return url;
  }

  async function open(kind, id, { remember = true, move = false } = {}) {
    chosen(kind, String(id));
    const query = new URLSearchParams({ id, radius });
    if (kind === "proposed" && planId) query.set("plan", planId);
    const answer = await fetch(`/about/${kind}?${query}`, { headers: { "HX-Request": "true" } });
    if (answer.headers.get("HX-Redirect")) return void location.assign(answer.headers.get("HX-Redirect"));
    box.innerHTML = await answer.text();
    box.hidden = false;
    box.scrollTop = 0;
    const at = box.querySelector("[data-lon]");
    if (move && at) go(Number(at.dataset.lon), Number(at.dataset.lat));
    if (remember) history.pushState({}, "", address(kind, id));
    box.focus({ preventScroll: true });
  }

  function close({ remember = true } = {}) {
    box.hidden = true;
    box.replaceChildren();
    chosen("", "");
    if (remember) history.pushState({}, "", address());
  }

  function fromAddress() {
    const query = new URLSearchParams(location.search);
    const kind = PARTS.find((part) => query.has(part));
    if (kind) chosen(kind, query.get(kind));
    const at = box.querySelector("[data-lon]");
    if (kind && at) go(Number(at.dataset.lon), Number(at.dataset.lat));
    return kind ? [kind, query.get(kind)] : null;
  }

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = event.target.closest("[data-about]");
    if (link) {
      event.preventDefault();
      open(link.dataset.about, link.dataset.id, { move: true });
    } else if (event.target.closest("[data-close]")) {
      event.preventDefault();
      close();
    }
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !box.hidden) close(); });
  window.addEventListener("popstate", () => {
    const found = fromAddress();
    if (found) open(...found, { remember: false });
    else close({ remember: false });
  });
  return { open, close, fromAddress };
}
