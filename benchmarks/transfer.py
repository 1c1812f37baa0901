"""Downloads and uploads 200 MiB, beside nginx and beside dd."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import servers
from benchmarks.load import BadAnswer, length, request
from benchmarks.results import Results, Who
from benchmarks.rows import Limit
from benchmarks.telling import note

SIZE = 200 * 2**20  # bytes
TIMES = 5
DOWN, UP = "download of 200 MiB", "upload of 200 MiB"
_BOUNDARY = "a-boundary-of-the-benchmark"
_CONFIGURATION = """
daemon off; master_process off; pid {place}/nginx.pid; error_log {place}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off; sendfile on; tcp_nopush on;
    client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def measure(results: Results, place: Path) -> None:
    """Serve one large image, download it, and upload it under other names."""
    folder = place / "large"
    folder.mkdir()
    image = folder / "large.nii.gz"
    image.write_bytes(os.urandom(SIZE))
    os.sync()
    with servers.ours(folder) as port:
        note(DOWN)
        _download(port, "/datastore/image?image=large")  # also waits until nothing else reads the file
        down = [_download(port, "/datastore/image?image=large") for _ in range(TIMES)]
        note(UP)
        for number in range(TIMES):  # both leave a new file, for which the machine has to find memory
            results.add(Who.OURS, 0, {UP: [_upload(port, f"/datastore/image?image=up_{number}", image)]})
            results.add(Who.LIMIT, 0, {Limit.DD.value: [_dd(image, folder / f"dd_{number}")]})
    results.add(Who.OURS, 0, {DOWN: down})
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if nginx is None:
        note("nginx is not installed (on Debian and Ubuntu: apt-get install nginx-light): no limit for the download")
        return
    with _nginx(nginx, place, folder) as port:
        _download(port, "/large.nii.gz")
        results.add(Who.LIMIT, 0, {Limit.NGINX.value: [_download(port, "/large.nii.gz") for _ in range(TIMES)]})


def _download(port: int, path: str) -> float:
    """Give the seconds until the last byte of an answer is there; the bytes are dropped."""
    buffer = bytearray(1 << 20)
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request("GET", path))
        head, left = b"", None
        while left is None or left > 0:
            count = connection.recv_into(buffer)
            if not count:
                raise BadAnswer(f"the answer ended {left} bytes too early")
            if left is None:
                head += buffer[:count]
                lines, found, body = head.partition(b"\r\n\r\n")
                left = length(lines) - len(body) if found else None
            else:
                left -= count
    return time.perf_counter() - begin


def _upload(port: int, path: str, file: Path) -> float:
    """Give the seconds until a file that is sent as a form is acknowledged, and so on the disk."""
    part = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="up.nii.gz"\r\n\r\n'.encode()
    end = f"\r\n--{_BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    head = (
        f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(part) + SIZE + len(end)}\r\n\r\n"
    )
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection, file.open("rb") as data:
        connection.sendall(head.encode() + part)
        connection.sendfile(data)
        connection.sendall(end)
        answer = connection.recv(1 << 16)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise BadAnswer(answer[:500].decode("latin-1"))
    return time.perf_counter() - begin


def _dd(source: Path, target: Path) -> float:
    begin = time.perf_counter()
    subprocess.run(["dd", f"if={source}", f"of={target}", "bs=1M", "conv=fsync"], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


@contextmanager
def _nginx(program: str, place: Path, root: Path) -> Iterator[int]:
    """Serve a folder with nginx and its sendfile; give the port."""
    own = place / "nginx"
    own.mkdir()
    port = servers.free_port()
    (own / "nginx.conf").write_text(_CONFIGURATION.format(place=own, port=port, root=root))
    with subprocess.Popen([program, "-p", str(own), "-c", str(own / "nginx.conf")], stderr=subprocess.PIPE) as child:
        try:
            servers.await_answer(child, port)
            yield port
        finally:
            child.terminate()
