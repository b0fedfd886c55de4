"""The page that Nova names for a screen, and the WebSocket behind it."""

import pytest

from provisioners.openstack_consoles import proxy_address

PAGES = {
    "http://10.0.0.1:6080/vnc_auto.html?path=%3Ftoken%3Dabc": "ws://10.0.0.1:6080/?token=abc",
    "https://cloud.example/vnc_lite.html?path=%3Ftoken%3Dabc": "wss://cloud.example/?token=abc",
    "https://cloud.example/vnc/vnc_auto.html?path=vnc/websockify?token=abc": (
        "wss://cloud.example/vnc/websockify?token=abc"
    ),
    "http://10.0.0.1:6080/vnc_auto.html?token=abc": "ws://10.0.0.1:6080/?token=abc",
}


@pytest.mark.parametrize(("page", "address"), PAGES.items())
def test_the_websocket_is_where_the_pages_path_says(page: str, address: str) -> None:
    assert proxy_address(page) == address
