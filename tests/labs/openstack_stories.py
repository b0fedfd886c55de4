"""What happens in the OpenStack lab, one story after the other."""

from collections.abc import Callable

from tests.labs import openstack_adoption as adoption
from tests.labs import openstack_boot_volumes as boot_volumes
from tests.labs import openstack_contract as contract
from tests.labs import openstack_disks as disks
from tests.labs import openstack_floating as floating
from tests.labs import openstack_ingress as ingress
from tests.labs import openstack_kills as kills
from tests.labs import openstack_matched as matched
from tests.labs import openstack_network_kills as network_kills
from tests.labs import openstack_networks as networks
from tests.labs import openstack_quota as quota
from tests.labs import openstack_race as race
from tests.labs import openstack_smoke as smoke
from tests.labs import openstack_snapshots as snapshots
from tests.labs import openstack_vms as vms
from tests.labs.openstack_story import Lab

IN_ORDER: tuple[Callable[[Lab], None], ...] = (
    smoke.a_servers_life,
    smoke.a_daemon_is_stopped,
    vms.a_department_asks,
    disks.a_department_asks_for_data_disks,
    boot_volumes.a_department_boots_from_volumes,
    snapshots.a_department_keeps_snapshots,
    networks.a_department_has_networks_of_its_own,
    floating.a_department_is_reached_from_outside,
    quota.a_quota_follows,
    ingress.a_department_lets_in,
    matched.the_catalogue_is_matched,
    race.fifty_at_once,
    adoption.what_others_made_is_taken_over,
    kills.a_worker_is_killed,
    network_kills.a_worker_is_killed_over_a_network,
    kills.a_part_is_away,
    contract.the_contract_is_kept,
)
