"""The deploy examples, run for real: nginx and Caddy on loopback, before a server of a test's own.

What an example says for a shop (names, ports, certificates) is replaced by what a test has;
nothing else of it is touched, and each replacement must find its place.
"""

import asyncio
import os
import pwd
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.machine import needed

EXAMPLES: Final = Path(__file__).parents[1] / "templates" / "deploy"
SECONDS: Final = 15  # for a program to begin to listen, on a busy machine
NAME: Final = "localhost"


def replaced(text: str, pairs: Mapping[str, str]) -> str:
    """The text with each key in its value's place; a key that is not there fails the test."""
    for old, new in pairs.items():
        assert old in text, f"The example lacks {old!r} by now."
        text = text.replace(old, new)
    return text


def certificate(directory: Path) -> Path:
    """A certificate for localhost that nobody signed but itself; its key lies beside it."""
    path = directory / "certificate.pem"
    subprocess.run(
        [
            *(needed("openssl", "openssl"), "req", "-x509", "-nodes", "-days", "2"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1"),
            *("-keyout", path.with_suffix(".key"), "-out", path),
        ],
        check=True,
        capture_output=True,
    )
    return path


def nginx_example(app_port: int, port: int, plain_port: int, own: Path) -> str:
    """The example for nginx, for a test's ports and certificate."""
    return replaced(
        (EXAMPLES / "nginx.conf").read_text(),
        {
            "server 127.0.0.1:8080;": f"server 127.0.0.1:{app_port};",
            "listen [::]:80;": "",
            "listen [::]:443 ssl;": "",
            "listen 80;": f"listen 127.0.0.1:{plain_port};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "return 301 https://chat.shop.example": f"return 301 https://{NAME}:{port}",
            "chat.shop.example;": f"{NAME};",
            "/etc/letsencrypt/live/chat.shop.example/fullchain.pem": str(own),
            "/etc/letsencrypt/live/chat.shop.example/privkey.pem": str(own.with_suffix(".key")),
            "/var/log/nginx/": f"{own.parent}/",
        },
    )


def nginx_around(sites: str, directory: Path) -> list[str]:
    """The command that runs nginx with these sites, all its files in ``directory``."""
    places = "".join(
        f"{name}_temp_path {directory}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    path = directory / "nginx.conf"
    path.write_text(
        f"{user} worker_processes 1; pid {directory}/pid; error_log {directory}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}{sites}\n}}\n"
    )
    nginx = needed("nginx", "nginx-light")
    return [nginx, "-e", f"{directory}/error.log", "-c", str(path), "-g", "daemon off;"]


def caddy_command(app_port: int, port: int, own: Path) -> list[str]:
    """The command that runs the example for Caddy, for a test's ports and certificate."""
    site = replaced(
        (EXAMPLES / "Caddyfile").read_text(),
        {
            "\nchat.shop.example {": f"\nhttps://{NAME}:{port} {{\n\tbind 127.0.0.1\n"
            f"\ttls {own} {own.with_suffix('.key')}",
            "127.0.0.1:8080": f"127.0.0.1:{app_port}",
        },
    )
    path = own.parent / "Caddyfile"
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    path.write_text(options + site)
    caddy = needed("caddy", "caddy")
    return [caddy, "run", "--adapter", "caddyfile", "--config", str(path)]


class Program:
    """A program that listens, with a group of processes of its own: one that it runs under, as
    ``faketime``, keeps no signal from it."""

    def __init__(self, command: list[str], directory: Path) -> None:
        self._command = command
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, port: int) -> None:
        with (self._directory / "said").open("wb") as said:
            self._process = subprocess.Popen(
                self._command,
                stdout=said,
                stderr=said,
                cwd=self._directory,
                env={**os.environ, "HOME": str(self._directory)},
                start_new_session=True,
            )
        async with asyncio.timeout(SECONDS):
            while not await _is_open(port):
                told = (self._directory / "said").read_text()
                assert self._process.poll() is None, told
                await asyncio.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(SECONDS)


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
