"""Load a server of its own with many small images: requests/s, latencies, and its memory over all of them.

.venv/bin/python benchmarks/serve.py --ckpt snapshots/Quickstart [--cases 1:300 16:2000 100:2000] [--json out.json]

Server and clients run on this machine, over loopback, and share its cores. Each client sends its next image when it has the
last answer. Images are painted; latency is from the first byte sent to the last byte received, on a connection that is kept.
"""

import argparse
import http.client
import io
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from PIL import Image

from inspyrenet.commands.parser import Parser
from inspyrenet.data.datasets.synthetic import SyntheticShapes
from inspyrenet.utils.system.cores import usable_cores

WARM_UP = 50  # requests that are not measured
IMAGES = 20
SAMPLES = 20  # readings of the memory


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    bodies = [form(image) for image in images(options.size)]
    process, port = start(options)
    try:
        pairs = [map(int, case.split(":")) for case in options.cases]
        cases = [measure(process.pid, port, bodies, options.type, *pair) for pair in pairs]
        health = json.loads(ask(connect(port), "GET", "/api/health")[1])
    finally:
        stopping = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    report = {
        "machine": machine(),
        "server": health["modes"],
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "image": f"{options.size}x{options.size} jpg, {len(bodies[0]) // 1024} kB",
        "type": options.type,
        "cases": cases,
        "stopped": {"exit_code": code, "seconds": round(time.perf_counter() - stopping, 2)},
    }
    print(json.dumps(report["stopped"]))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--ckpt", required=True, help="weights or run folder")
    parser.add_argument("--mode", help="config, where the weights do not say it")
    parser.add_argument("--cases", nargs="+", default=["1:300", "16:2000", "100:2000"], help="CLIENTS:REQUESTS")
    parser.add_argument("--size", type=int, default=160, help="pixels of a side")
    parser.add_argument("--type", default="map", help="as in the query")
    parser.add_argument("--json", type=Path)
    return parser


# -- requests -----------------------------------------------------------------------------------------------------


def images(size: int) -> list[bytes]:
    encoded = []
    for sample in SyntheticShapes(IMAGES, size=(size, size)):
        buffer = io.BytesIO()
        Image.fromarray(sample.image).save(buffer, "JPEG", quality=90)
        encoded.append(buffer.getvalue())
    return encoded


def form(image: bytes) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + image + b"\r\n--b--\r\n"


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=120)


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection.request(method, path, body, {"Content-Type": "multipart/form-data; boundary=b"} if body else {})
    answer = connection.getresponse()
    return answer.status, answer.read()


# -- the server ---------------------------------------------------------------------------------------------------


def start(options: argparse.Namespace) -> tuple[subprocess.Popen, int]:
    """A server that answers, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["s", "--port", str(port), "--ckpt", options.ckpt, "--device", "cpu", "--edges", "none"]
    words += ["-m", options.mode] if options.mode else []
    process = subprocess.Popen([sys.executable, "-m", "inspyrenet", *words])
    while process.poll() is None:
        try:
            ask(connect(port), "GET", "/api/health")
            return process, port
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def resident(pid: int) -> float:
    """Megabytes that the process holds."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return round(int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024, 1)


# -- measuring ----------------------------------------------------------------------------------------------------


def measure(pid: int, port: int, bodies: list[bytes], type: str, clients: int, requests: int) -> dict:
    """One number of clients: rates, latencies, memory."""
    run(pid, port, bodies, type, clients, WARM_UP)
    before = json.loads(ask(connect(port), "GET", "/api/health")[1])
    started = time.perf_counter()
    latencies, statuses, memory = run(pid, port, bodies, type, clients, requests)
    seconds = time.perf_counter() - started
    after = json.loads(ask(connect(port), "GET", "/api/health")[1])
    cuts = statistics.quantiles(latencies, n=100)
    case = {
        "clients": clients,
        "requests": requests,
        "statuses": {str(status): statuses.count(status) for status in sorted(set(statuses))},
        "requests_per_second": round(requests / seconds, 1),
        "p50_ms": round(cuts[49] * 1000, 1),
        "p99_ms": round(cuts[98] * 1000, 1),
        "images_per_batch": round((after["images"] - before["images"]) / (after["batches"] - before["batches"]), 2),
        "resident_mb": memory,
    }
    print(json.dumps(case), flush=True)
    return case


def run(pid: int, port: int, bodies: list[bytes], type: str, clients: int, requests: int):
    """(seconds of each request, status of each, resident memory at even steps)."""
    turns, latencies, statuses, memory = count(), [], [], []

    def client(_) -> None:
        connection = connect(port)
        while (turn := next(turns)) < requests:
            started = time.perf_counter()
            status, _ = ask(connection, "POST", f"/api/remove?type={type}", bodies[turn % len(bodies)])
            latencies.append(time.perf_counter() - started)
            statuses.append(status)
            if turn % max(1, requests // SAMPLES) == 0:
                memory.append(resident(pid))
        connection.close()

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return latencies, statuses, memory


def machine() -> dict:
    """Where the numbers come from."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return {
        "cpu": cpu,
        "cores": usable_cores(),
        "python": platform.python_version(),
        "load": [round(value, 1) for value in os.getloadavg()],
    }


if __name__ == "__main__":
    sys.exit(main())
