// A part of a page marked data-live polls the server by htmx. While somebody points into it or has the focus
// there, or has chosen rows of it, nothing may move: what is still there is renewed in its place (rows by their
// data-key), and the whole is swapped as soon as the pointer and the focus are gone.
const waiting = new WeakSet();

function inUse(part) {
  return part.matches(':hover') || part.contains(document.activeElement) || part.querySelector('details[data-menu][open], [data-select]:checked');
}

function renewInPlace(part, html) {
  const fresh = new DOMParser().parseFromString(html, 'text/html');
  for (const old of part.querySelectorAll('[data-key]')) {
    const renewed = fresh.querySelector(`[data-key="${CSS.escape(old.dataset.key)}"]`);
    if (renewed && renewed.innerHTML !== old.innerHTML && !old.contains(document.activeElement)) {
      old.innerHTML = renewed.innerHTML;
    }
  }
  document.dispatchEvent(new Event('steppe:renewed'));
}

function isStill(part, html) {
  return Boolean(new DOMParser().parseFromString(html, 'text/html').getElementById(part.id));
}

// A page that renews itself is nobody at work: the server lets who does nothing go all the same.
document.addEventListener('htmx:configRequest', (event) => {
  if (event.detail.elt.matches('[data-live]')) event.detail.headers['Steppe-Renewal'] = '1';
});

document.addEventListener('htmx:beforeRequest', (event) => {
  if (document.hidden && event.target.matches('[data-live]')) event.preventDefault();
});

document.addEventListener('htmx:beforeSwap', (event) => {
  const part = event.detail.requestConfig?.elt;
  if (!part?.matches('[data-live]') || !event.detail.shouldSwap) return;
  if (!isStill(part, event.detail.serverResponse)) {
    // Signed out meanwhile, say: what came is another page, and belongs in the whole window.
    event.detail.shouldSwap = false;
    window.location.reload();
    return;
  }
  if (!inUse(part)) return;
  event.detail.shouldSwap = false;
  renewInPlace(part, event.detail.serverResponse);
  waiting.add(part);
});

function release(event) {
  const part = event.target.closest?.('[data-live]');
  if (!part || !waiting.has(part)) return;
  setTimeout(() => {
    if (inUse(part)) return;
    waiting.delete(part);
    window.htmx.trigger(part, 'refresh');
  }, 400);
}

document.addEventListener('pointerout', release);
document.addEventListener('focusout', release);
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  for (const part of document.querySelectorAll('[data-live]')) window.htmx?.trigger(part, 'refresh');
});
