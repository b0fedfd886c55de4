// Says that something is being fetched, and that the server does not answer. Renewals by themselves are no news.
const live = (element) => Boolean(element?.matches?.('[data-live]'));
const stale = document.getElementById('stale');
let waiting = 0;

function wait(more) {
  waiting = Math.max(0, waiting + more);
  document.body.classList.toggle('loading', waiting > 0);
}

document.addEventListener('htmx:beforeSend', (event) => {
  if (!live(event.detail.elt)) wait(1);
});

document.addEventListener('htmx:afterRequest', (event) => {
  if (!live(event.detail.elt)) wait(-1);
  const failed = !event.detail.xhr?.status || event.detail.xhr.status >= 500;
  if (stale) stale.hidden = !failed;
});

// A list that cannot be shown (a cursor too old, say) has a page of its own that says why.
document.addEventListener('htmx:responseError', (event) => {
  const { elt, pathInfo, requestConfig } = event.detail;
  if (live(elt) && event.detail.xhr.status === 404) window.location.reload();
  else if (!live(elt) && requestConfig.verb === 'get') window.location.assign(pathInfo.finalRequestPath);
});
