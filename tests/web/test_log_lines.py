"""What a log in JSON holds."""

import json

import pytest
import structlog

from controlplane.bootstrap import configure_logging
from controlplane.settings import Settings


@pytest.mark.parametrize("name", ["财政厅", "half a character: \udce5"])
def test_a_line_is_json_whatever_is_in_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    structlog.get_logger().info("met", name=name, of=object)
    said = json.loads(capsys.readouterr().err)
    assert (said["event"], said["name"], said["of"]) == ("met", name, repr(object))
