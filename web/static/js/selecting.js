// Rows of a list can be chosen and something done to all of them. The choice outlives a renewal of the list as far as
// its rows are still there; it never holds a row that is out of sight.
const chosen = new Map();

function boxes(list) {
  return [...list.querySelectorAll('[data-select]')];
}

function show(list) {
  const bulk = list.querySelector('[data-bulk]');
  if (!bulk) return;
  const all = boxes(list);
  const count = all.filter((box) => box.checked).length;
  bulk.classList.toggle('bulk-shown', count > 0);
  const words = bulk.querySelector('[data-bulk-count]');
  words.textContent = words.dataset.text.replace('{n}', count);
  bulk.querySelector('[data-bulk-clear]').hidden = false;
  const whole = list.querySelector('[data-select-all]');
  whole.hidden = false;
  whole.checked = count > 0 && count === all.length;
  whole.indeterminate = count > 0 && count < all.length;
  for (const box of all) box.closest('tr').classList.toggle('row-chosen', box.checked);
}

function remember(list) {
  chosen.set(list.id, new Set(boxes(list).filter((box) => box.checked).map((box) => box.value)));
  show(list);
}

function restore(list) {
  const values = chosen.get(list.id) ?? new Set();
  for (const box of boxes(list)) box.checked = values.has(box.value);
  remember(list);
}

function restoreAll() {
  for (const bulk of document.querySelectorAll('[data-bulk]')) restore(bulk.closest('.list'));
}

document.addEventListener('change', (event) => {
  const list = event.target.closest('.list');
  if (event.target.matches('[data-select-all]')) {
    for (const box of boxes(list)) box.checked = event.target.checked;
    remember(list);
  } else if (event.target.matches('[data-select]')) {
    remember(list);
  }
});

document.addEventListener('reset', (event) => {
  const list = event.target.closest('.list');
  if (event.target.matches('[data-bulk]')) setTimeout(() => remember(list));
});

document.addEventListener('htmx:afterSettle', restoreAll);
document.addEventListener('steppe:renewed', restoreAll);
restoreAll();
