// The console of a machine: a terminal for its serial line, a screen for its display. The bytes come through a websocket
// of Steppe's console proxy, which is shown a ticket first; each connection needs a new one.
const VIEWERS = {
  text: async () => (await import('./console_text.js')).textViewer,
  screen: async () => (await import('./console_screen.js')).screenViewer,
};
const GOING_AWAY = 1001;
const panel = document.getElementById('console');
const state = document.getElementById('console-state');
const again = document.getElementById('console-again');
const keys = document.getElementById('console-keys');
const kinds = document.getElementById('console-kinds');
const words = JSON.parse(panel.dataset.words);
const kindWords = JSON.parse(panel.dataset.kinds);
let wanted = null;
let viewer = null;
let current = null;

function say(word, text) {
  state.dataset.state = word;
  state.textContent = text ?? words[word] ?? words.lost;
  again.hidden = ['connecting', 'open', 'simulated'].includes(word);
}

async function ticket() {
  const csrf = document.querySelector('meta[name="csrf-token"]').content;
  const answer = await fetch(panel.dataset.ticket, { method: 'POST', headers: { 'X-CSRFToken': csrf } });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

function offer(names, opened) {
  kinds.replaceChildren(...names.map((name) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'btn';
    button.textContent = kindWords[name];
    button.setAttribute('aria-pressed', String(name === opened));
    button.addEventListener('click', () => { wanted = name; connect(); });
    return button;
  }));
  kinds.hidden = names.length < 2;
}

function close() {
  viewer?.dispose();
  viewer = null;
  const old = current;
  current = null;
  old?.close();
  keys.hidden = true;
  panel.replaceChildren();
}

// What comes while a viewer is still being loaded is kept for it.
async function start(socket, hello) {
  offer(hello.consoles, hello.kind);
  const early = [];
  const keep = (event) => early.push(event.data);
  socket.addEventListener('message', keep);
  const view = await VIEWERS[hello.kind]();
  socket.removeEventListener('message', keep);
  if (socket !== current) return;
  const frame = document.createElement('div');
  panel.append(frame);
  viewer = view(frame, socket);
  for (const data of early) socket.dispatchEvent(new MessageEvent('message', { data }));
  keys.hidden = !viewer.sendKeys;
  say(hello.simulated ? 'simulated' : 'open');
}

async function connect() {
  close();
  say('connecting');
  let permission;
  try {
    permission = await ticket();
  } catch (error) {
    say('lost', error.message);
    return;
  }
  const socket = new WebSocket(permission.url);
  socket.binaryType = 'arraybuffer';
  current = socket;
  socket.addEventListener('open', () => socket.send(JSON.stringify({ ticket: permission.ticket, kind: wanted })));
  socket.addEventListener('message', (event) => {
    if (socket === current) start(socket, JSON.parse(event.data));
  }, { once: true });
  socket.addEventListener('close', (event) => {
    if (socket === current) say(event.code === GOING_AWAY ? 'stopping' : event.reason in words ? event.reason : 'lost');
  });
}

again.addEventListener('click', connect);
keys.addEventListener('click', () => viewer?.sendKeys());
connect();
