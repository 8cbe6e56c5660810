"""Nothing reaches for the network unasked: not at import, not with packaged weights."""

import os
import socket
import subprocess
import sys

import pytest

# Fails whatever way a connection is tried: names are looked up first, datagrams need no connection.
BLOCK = """
import os
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        print("reached for the network:", event, arguments[1:], flush=True)
        os._exit(9)

sys.addaudithook(refuse)
"""
SCRIPT = """
import importlib
import pkgutil

import obspy

import seisbench_llm

for module in pkgutil.walk_packages(seisbench_llm.__path__, "seisbench_llm."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            # An extra that is not installed here.
            assert not error.name.startswith("seisbench_llm"), error
from seisbench_llm import SeisMoLLM, weights
from seisbench_llm.monitor import SeismicMonitor

for name in weights.packaged_names():
    SeisMoLLM.from_pretrained(name)
print(SeisMoLLM.list_pretrained(remote=False))
result = SeismicMonitor.from_pretrained("compact", strict=True).classify(obspy.read())
print([pick.phase for pick in result.picks])
"""


def run(script, tmp_path, **environment):
    environment = {**os.environ, "SEISBENCH_CACHE_ROOT": str(tmp_path), **environment}
    # What tests have set may be what keeps a user's import from the network.
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-c", BLOCK + script]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)


@pytest.mark.timeout(200)
def test_import_and_packaged_weights_need_no_network(tmp_path):
    done = run(SCRIPT, tmp_path)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]
    names, phases = done.stdout.splitlines()[-2:]
    assert "compact_picking" in names and phases == "['P', 'S']"


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9', timeout=1)",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', 9))",
    ],
)
def test_an_attempt_would_be_seen(tmp_path, attempt):
    done = run(attempt, tmp_path)
    assert done.returncode == 9 and "reached for the network" in done.stdout


def test_no_test_may_reach_for_the_network():
    with pytest.raises(OSError, match="tests use no network"):
        socket.create_connection(("192.0.2.1", 80), 1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 9), 1)
