// A form that swaps its own part of the page gets that part back with what is wrong in it: a refusal is an answer too.
document.addEventListener('htmx:beforeSwap', (event) => {
  const { xhr, requestConfig } = event.detail;
  const taken = requestConfig?.elt?.closest?.('[data-takes-refusals]');
  if (!taken || requestConfig.verb !== 'post' || xhr.status < 400 || xhr.status >= 500) return;
  if (!new DOMParser().parseFromString(xhr.responseText, 'text/html').getElementById(taken.id)) {
    window.location.reload();
    return;
  }
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});
