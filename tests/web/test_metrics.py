"""What a monitor reads: how many answers and how long they took, by labels that nobody outside can multiply."""

from tests.callers import Callers


def test_what_was_answered_is_counted_and_a_made_up_method_is_no_label_of_its_own(http: Callers) -> None:
    client = http.app.test_client()
    for method in ("GET", "BREW", "WHISK"):
        client.open("/healthz", method=method)
    told = client.get("/metrics", headers={"Authorization": f"Bearer {http.admin.secret}"}).text
    assert 'steppe_request_seconds_count{endpoint="health.alive",method="GET"}' in told
    assert 'method="other"' in told
    assert "BREW" not in told and "WHISK" not in told
