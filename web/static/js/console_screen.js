// A screen (RFB) on a websocket that is open already.
import RFB from '../vendor/novnc/core/rfb.js';

export function screenViewer(frame, socket) {
  const screen = new RFB(frame, socket);
  screen.scaleViewport = true;
  screen.background = '#000';
  screen.focus();
  return {
    dispose: () => screen.disconnect(),
    sendKeys: () => screen.sendCtrlAltDel(),
  };
}
