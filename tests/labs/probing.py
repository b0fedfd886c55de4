"""Whether guests can run on the processor itself.

/dev/kvm may be there, and libvirt may promise it, on machines where no guest gets past its first instructions. So
nothing is believed but a guest that was seen to boot.
"""

import subprocess
import time
from pathlib import Path

_SECONDS = 45
_BOOTED = b"login:"


def virt_type(image: Path, console: Path) -> str:
    """Return `kvm` if the guest of `image` boots under it, else `qemu`. Its output goes to the file `console`."""
    if not Path("/dev/kvm").exists():
        return "qemu"
    command = [
        *("qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-machine", "q35", "-m", "512", "-display", "none"),
        *("-drive", f"file={image},if=virtio,snapshot=on", "-serial", f"file:{console}", "-nic", "none", "-no-reboot"),
    ]
    guest = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline and guest.poll() is None:
            if console.exists() and _BOOTED in console.read_bytes():
                return "kvm"
            time.sleep(0.25)
        return "qemu"
    finally:
        guest.kill()
        guest.wait()
