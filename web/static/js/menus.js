// Menus are <details>: they open without script. This closes them again, opens the navigation on narrow
// screens, and takes the reader to the search box by its key.
const nav = document.querySelector('[data-toggle-nav]');

function showNav(shown) {
  document.body.classList.toggle('nav-shown', shown);
  nav.setAttribute('aria-expanded', String(shown));
}

document.documentElement.classList.add('js');
nav?.addEventListener('click', () => showNav(!document.body.classList.contains('nav-shown')));

document.addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('details[data-menu][open]')) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    for (const menu of document.querySelectorAll('details[data-menu][open]')) {
      menu.open = false;
      menu.querySelector('summary').focus();
    }
    if (nav && document.body.classList.contains('nav-shown')) {
      showNav(false);
      nav.focus();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.('input, textarea, select')) return;
  const field = document.querySelector(`[data-shortcut="${CSS.escape(event.key)}"]`);
  if (field) {
    event.preventDefault();
    field.focus();
    field.select?.();
  }
});
