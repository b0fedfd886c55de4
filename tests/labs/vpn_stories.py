"""What happens in the VPN lab, one story after the other."""

from collections.abc import Callable

from tests.labs import vpn_access, vpn_accounting, vpn_ending, vpn_kill, vpn_refusals, vpn_restarts, vpn_secrets
from tests.labs.vpn_story import Lab

IN_ORDER: tuple[Callable[[Lab], None], ...] = (
    vpn_access.a_department_comes_in,
    vpn_restarts.parts_are_restarted_under_load,
    vpn_refusals.each_refusal_has_its_reason,
    vpn_accounting.what_was_sent_is_accounted_for,
    vpn_ending.a_click_ends_a_tunnel,
    vpn_restarts.the_clock_ends_what_is_left,
    vpn_kill.the_gateway_dies,
    vpn_secrets.no_password_is_left_anywhere,
)
