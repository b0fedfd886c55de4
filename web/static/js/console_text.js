// A terminal on a websocket.
import { FitAddon } from '../vendor/xterm-fit.mjs';
import { Terminal } from '../vendor/xterm.mjs';

// The terminal writes style elements and style attributes, which our content security policy forbids in any page. On this
// page it gets elements that take the same styles by the ways that are no inline style.
const plain = Document.prototype.createElement;
document.createElement = (name, ...more) => (name === 'style' ? adopted() : careful(plain.call(document, name, ...more)));

function adopted() {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  const element = plain.call(document, 'span');
  element.hidden = true;
  Object.defineProperty(element, 'textContent', { set: (text) => sheet.replaceSync(text) });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

function careful(element) {
  element.setAttribute = (name, value) => {
    if (name === 'style') element.style.cssText = value;
    else Element.prototype.setAttribute.call(element, name, value);
  };
  return element;
}

export function textViewer(frame, socket) {
  const terminal = new Terminal({ cursorBlink: true, scrollback: 5000, screenReaderMode: true });
  const fit = new FitAddon();
  const encoder = new TextEncoder();
  terminal.loadAddon(fit);
  terminal.open(frame);
  fit.fit();
  const resized = new ResizeObserver(() => fit.fit());
  resized.observe(frame);
  terminal.onData((text) => { if (socket.readyState === WebSocket.OPEN) socket.send(encoder.encode(text)); });
  socket.addEventListener('message', (event) => terminal.write(new Uint8Array(event.data)));
  terminal.focus();
  return {
    dispose() {
      resized.disconnect();
      terminal.dispose();
    },
  };
}
