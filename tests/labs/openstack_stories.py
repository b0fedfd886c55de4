"""What happens in the OpenStack lab, one story after the other."""

from collections.abc import Callable

from tests.labs import openstack_smoke as smoke
from tests.labs import openstack_vms as vms
from tests.labs.openstack_story import Lab

IN_ORDER: tuple[Callable[[Lab], None], ...] = (smoke.a_servers_life, smoke.a_part_is_away, vms.a_department_asks)
