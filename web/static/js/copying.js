// Ids copy on click. The clipboard API is missing on a page served without TLS, hence the older way.
function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'visually-hidden';
  document.body.append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
  return Promise.resolve();
}

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  await copy(button.dataset.copy);
  button.classList.add('copied');
  button.focus();
  document.getElementById('announce').textContent = button.dataset.copied;
  setTimeout(() => button.classList.remove('copied'), 1500);
});
