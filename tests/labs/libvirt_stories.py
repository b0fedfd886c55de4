"""What happens in the libvirt lab, one story after the other: later ones use the guests of earlier ones."""

import time
from collections.abc import Callable

from tests.labs.centre import LARGER, SMALL, an_ask
from tests.labs.console_story import console, consoles, ending
from tests.labs.guests import Guest
from tests.labs.story import ORDER_SECONDS, Lab
from tests.labs.waiting import until


def two_are_built_apart(lab: Lab) -> None:
    """Two members of an anti-affinity group, asked for at once."""
    lab.before = {h.name: h.footprint() for h in lab.site.hypervisors}
    began = time.monotonic()
    with lab.report.check("two VMs of one anti-affinity group are asked for and become running"):
        asks = [an_ask(name, lab.key.public, anti_affinity="apart") for name in ("first", "second")]
        for ask in asks:
            lab.vms[ask["name"]] = lab.steppe.ask("/vms", ask)
        for ask in asks:
            lab.settled(ask["name"], "running")
    with lab.report.check("they are on two hypervisors, each known to its own libvirt alone"):
        where = {name: vm["pool"] for name, vm in lab.vms.items()}
        assert sorted(where.values()) == ["hv-1", "hv-2"], where
        for name in where:
            assert lab.host_of(name).domains() == [lab.domain(name)]
    for name in ("first", "second"):
        with lab.report.check(
            f"{name} boots, takes its address and lets the key of the ask in, by its cloud-init seed"
        ):
            lab.boots[name] = lab.guest(name).comes_up()
            assert lab.guest(name).says("hostname") == name
    lab.report.figure("two guests booted side by side, logged in to after", f"{time.monotonic() - began:.1f} s")
    with lab.report.check("the guest has the processors, the memory and the disk that were asked"):
        _has(lab.guest("first"), SMALL)


def power(lab: Lab) -> None:
    """Off, on, and round."""
    guest = lab.guest("first")
    with lab.report.check("a stopped VM is silent, its domain is shut off, and its console has ended"):
        with console(lab, "first", "screen") as screen:
            lab.order("first", "stop")
            lab.settled("first", "stopped")
            assert ending(screen) == "gone"
        guest.falls_silent()
        assert lab.host_of("first").virsh("domstate", lab.domain("first")) == "shut off"
    with lab.report.check("a started VM boots again from the same disk"):
        began = time.monotonic()
        lab.order("first", "start")
        lab.settled("first", "running")
        again = guest.comes_up(unlike=lab.boots["first"])
        lab.report.figure("a later boot, logged in to after", f"{time.monotonic() - began:.1f} s")
        guest.says("echo kept >/root/mark && sync")
        lab.boots["first"] = again
    with lab.report.check("a rebooted VM is another boot of the same disk"):
        lab.order("first", "reboot")
        lab.settled("first", "running")
        lab.boots["first"] = guest.comes_up(unlike=lab.boots["first"])
        assert guest.says("cat /root/mark") == "kept"


def another_size(lab: Lab) -> None:
    """More of everything; what is on the disk stays."""
    guest = lab.guest("first")
    with lab.report.check("a resized VM sees its new processors, memory and disk, and keeps its data"):
        lab.order("first", "resize", LARGER)
        lab.settled("first", "running")
        lab.boots["first"] = guest.comes_up(unlike=lab.boots["first"])
        _has(guest, LARGER)
        assert guest.says("cat /root/mark") == "kept"


def from_the_image_again(lab: Lab) -> None:
    """A fresh disk under the same name, address and key."""
    guest = lab.guest("first")
    with lab.report.check("a rebuilt VM comes up fresh at its address with its key, and what was on its disk is gone"):
        lab.order("first", "rebuild", {})
        lab.settled("first", "running")
        lab.boots["first"] = guest.comes_up(unlike=lab.boots["first"])
        assert guest.says("ls /root") == ""
        assert guest.says("hostname") == "first"
        _has(guest, LARGER)


def a_hypervisor_is_away(lab: Lab) -> None:
    """One libvirtd is killed. Its guests run on; what was ordered of them waits; the other pool does not."""
    away = lab.host_of("first")
    other = next(h for h in lab.site.hypervisors if h is not away)
    away.kill()
    with lab.report.check("with one libvirtd killed its guest still answers"):
        assert lab.guest("first").pings()
    with lab.report.check("an order for it waits, and is no fault"):
        lab.order("first", "stop")
        until("the worker tried", lambda: lab.steppe.vm(lab.vms["first"]["id"])["state"] == "changing", 10)
    with lab.report.check("meanwhile the other hypervisor builds"):
        began = time.monotonic()
        lab.vms["third"] = lab.steppe.ask("/vms", an_ask("third", lab.key.public))
        # It has more room left than the one that is away, where the larger guest is.
        assert lab.vms["third"]["pool"] == other.name
        lab.settled("third", "running", 30)
        lab.report.figure("a VM made while the other pool was away", f"running after {time.monotonic() - began:.1f} s")
        assert lab.domain("third") in other.domains()
        assert lab.steppe.vm(lab.vms["first"]["id"])["state"] == "changing"
    away.start()
    with lab.report.check("when it is back, what waited is done without being asked again"):
        began = time.monotonic()
        lab.settled("first", "stopped", 360)
        lab.report.figure("the order that waited, done", f"{time.monotonic() - began:.1f} s after the return")
        assert away.virsh("domstate", lab.domain("first")) == "shut off"


def destroyed_behind_our_back(lab: Lab) -> None:
    """Somebody switches a guest off and removes its definition by hand."""
    host, domain = lab.host_of("third"), lab.domain("third")
    with lab.report.check("a VM destroyed by hand is found by the sweep and comes back with its disk"):
        lab.guest("third").comes_up()
        lab.guest("third").says("echo kept >/root/mark && sync")
        host.virsh("destroy", domain)
        host.virsh("undefine", domain)
        began = time.monotonic()
        until("its domain is there", lambda: domain in host.domains(), 150)
        lab.report.figure("a VM destroyed by hand is back", f"{time.monotonic() - began:.1f} s later (sweep: 60 s)")
        lab.guest("third").comes_up()
        assert lab.guest("third").says("cat /root/mark") == "kept"


def nothing_is_left(lab: Lab) -> None:
    """All are deleted."""
    with lab.report.check("deleted VMs are gone, running or not"):
        for vm in lab.vms.values():
            lab.steppe.call("DELETE", f"/vms/{vm['id']}")
        for vm in lab.vms.values():
            lab.steppe.gone(vm["id"], ORDER_SECONDS)
    for hypervisor in lab.site.hypervisors:
        with lab.report.check(f"no domain, volume, definition, lease or tap of them is left on {hypervisor.name}"):
            left = hypervisor.footprint() ^ lab.before[hypervisor.name]
            assert not left, sorted(left)
    with lab.report.check("quota and addresses are free again, and the ledger adds up"):
        _, quota = lab.steppe.call("GET", "/departments/lab/quota")
        assert all(b["used"] == b["held"] == 0 for b in quota["classes"]), quota
        _, subnet = lab.steppe.call("GET", "/subnets/lab")
        assert subnet["addresses"]["claimed"] == 0
        lab.steppe.command("ledger", "verify")


def _has(guest: Guest, size: dict[str, int]) -> None:
    """A kernel keeps a part of the memory for itself, and a loader's partition a part of the disk."""
    assert int(guest.says("nproc")) == size["vcpu"]
    memory_mib = int(guest.says("awk '/MemTotal/ {print $2}' /proc/meminfo")) / 1024
    assert 0.85 * size["memory_mib"] < memory_mib <= size["memory_mib"], memory_mib
    assert int(guest.says("cat /sys/block/vda/size")) * 512 == size["disk_gib"] * 1024**3
    # The root file system grows in the background of a boot.
    root = "df --output=size -B1 / | tail -1"
    until("the file system fills the disk", lambda: int(guest.says(root)) > 0.85 * size["disk_gib"] * 1024**3, 60, 2)


IN_ORDER: tuple[Callable[[Lab], None], ...] = (
    two_are_built_apart,
    consoles,
    power,
    another_size,
    from_the_image_again,
    a_hypervisor_is_away,
    destroyed_behind_our_back,
    nothing_is_left,
)
