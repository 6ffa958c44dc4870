"""Test the configs of docs/jupyterhub/: a class gets JupyterHub's passwords and accounts, and nothing of the trial."""

import http.server
import os
import shutil
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from traitlets.config import PyFileConfigLoader

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that loads a config in an empty folder, as JupyterHub does."""
    monkeypatch.chdir(tmp_path)
    for name in ("BIND", "CLASS_TOKEN", "CUDA_VISIBLE_DEVICES", "PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    mask = os.umask(0o022)
    yield lambda name: PyFileConfigLoader(str(ROOT / "docs" / "jupyterhub" / name)).load_config()
    os.umask(mask)


def test_class_uses_accounts_of_the_machine(load, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=r"logins\.txt not found"):
        load("class.py")
    (tmp_path / "logins.txt").write_text("anna\nbo\n", encoding="utf-8-sig")  # as Windows editors do
    found = load("class.py")
    # The database of a trial may contain any name, even root, and these users must not be able to log in.
    assert found.Authenticator == {"allowed_users": {"anna", "bo"}, "allow_existing_users": False}
    assert set(found) == {"Authenticator", "JupyterHub", "Spawner"}
    assert set(found.JupyterHub) == {"bind_url", "concurrent_spawn_limit"}  # the default classes: PAM, accounts
    assert found.JupyterHub.bind_url == "http://127.0.0.1:8000"
    assert "pre_spawn_hook" not in found.Spawner  # it would run as root
    assert found.Spawner.args == ["--KernelManager.transport=ipc"]
    assert Path(found.Spawner.environment["JUPYTER_CONFIG_PATH"], "jupyter_server_config.py").is_file()
    (tmp_path / "jupyterhub.sqlite").touch()
    assert (tmp_path / "jupyterhub.sqlite").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("CLASS_TOKEN", "a token")
    assert load("class.py").JupyterHub.services == [{"name": "class", "api_token": "a token"}]


def test_trial_gives_each_user_notebooks_once(load, tmp_path):
    found = load("trial.py")
    user = SimpleNamespace(user=SimpleNamespace(name="ada"))
    found.Spawner.pre_spawn_hook(user)
    answer = tmp_path / "homes" / "ada" / "notebooks" / "00_degradation.ipynb"
    assert answer.read_bytes() == (ROOT / "notebooks" / answer.name).read_bytes()
    answer.write_text("an answer", encoding="utf-8")
    found.Spawner.pre_spawn_hook(user)
    assert answer.read_text(encoding="utf-8") == "an answer"
    assert len(found.DummyAuthenticator.password) >= 16
    assert found.JupyterHub.bind_url == "http://127.0.0.1:8000"


@pytest.fixture
def hub(tmp_path):
    """Return a function that runs hub.sh with a list of login names, and stand-ins for the system's commands."""

    def run(action, names, commands=None, **variables):
        (tmp_path / "bin").mkdir(exist_ok=True)
        for command, body in (commands or {}).items():
            (tmp_path / "bin" / command).write_text(
                f'#!/bin/sh\necho "{command} $*" >>{tmp_path}/log\n{body}\n', encoding="utf-8"
            )
            (tmp_path / "bin" / command).chmod(0o755)
        (tmp_path / "logins.txt").write_text(names, encoding="utf-8")
        (tmp_path / "token").write_text("secret\n", encoding="utf-8")
        command = ["bash", str(ROOT / "docs" / "jupyterhub" / "hub.sh"), *action.split()]
        variables = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"} | variables
        return subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60)

    return run


@pytest.mark.parametrize("exists", [True, False])
def test_each_account_gets_the_notebooks_once(exists, hub, tmp_path):
    home = tmp_path / "elsewhere" / "ada"
    home.mkdir(parents=True)
    commands = {"id": f"exit {int(not exists)}", "getent": f"echo ada:x:1:1::{home}:/bin/sh"}
    commands |= {"useradd": "exit 0", "chpasswd": "cat >/dev/null", "runuser": 'shift 3; "$@"'}
    for _ in range(2):
        done = hub("add", "ada\n", commands)
        assert done.returncode == 0, done.stderr
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert ("useradd" in log) is not exists
    assert log.count(" cp ") == 1
    assert (home / "notebooks" / "00_degradation.ipynb").is_file()


@pytest.mark.skipif(not shutil.which("setsid"), reason="needs setsid")
def test_process_of_a_student_gets_no_terminal_and_a_file_is_limited(hub, tmp_path, monkeypatch):
    notebook = tmp_path / "ada" / "notebooks" / "03_srgan.ipynb"
    notebook.parent.mkdir(parents=True)
    with notebook.open("wb") as file:
        file.truncate(2**40)
    session = (
        f"echo $$ $(ps -o sid= -p $$) $(readlink /proc/$$/fd/0 /proc/$$/fd/2) ${{SECRET-unset}} >>{tmp_path}/sessions"
    )
    commands = {"getent": f"echo ada:x:1:1::{tmp_path}/ada:/bin/sh", "runuser": f'{session}\nshift 3; "$@"'}
    monkeypatch.setenv("SECRET", "of root")
    done = hub("collect 03_srgan", "ada\n", commands)
    assert (done.returncode, "has more than 50M" in done.stderr) == (1, True)
    assert list((tmp_path / "handed_in" / "ada").iterdir()) == [], "half a file isn't kept"
    for line in (tmp_path / "sessions").read_text(encoding="utf-8").splitlines():
        process, its_session, given, errors, secret = line.split()
        assert (its_session, given, errors.partition(":")[0], secret) == (process, "/dev/null", "pipe", "unset")


@pytest.mark.skipif(not shutil.which("setsid"), reason="needs setsid")
def test_student_who_stops_or_floods_her_process_stops_no_class(hub, tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "03_srgan.ipynb").write_text("answers", encoding="utf-8")
    ada = 'trap "" TERM\nprintf "\\033[2J" >&2\nsleep 1'
    student = f'name=$2\nshift 3\n[ "$name $1" != "ada cat" ] || {{\n{ada}\n}}\n"$@"'
    commands = {"getent": f"echo x:x:1:1::{tmp_path}:/bin/sh", "runuser": student}
    commands |= {"timeout": f'shift\nexec {shutil.which("timeout")} 0.3 "$@"'}
    done = hub("collect 03_srgan", "ada\nbo\n", commands)
    assert (done.returncode, "ada's file cannot be read" in done.stderr, "bo" in done.stderr) == (1, True, False)
    assert "\033" not in done.stderr
    assert [path.name for path in (tmp_path / "handed_in").rglob("*.ipynb*")] == ["03_srgan.ipynb"]
    (tmp_path / "notebooks" / "03_srgan.ipynb").write_text("too late", encoding="utf-8")
    assert "was collected before" in hub("collect 03_srgan", "bo\n", commands).stdout
    assert (tmp_path / "handed_in" / "bo" / "03_srgan.ipynb").read_bytes() == b"answers"


@pytest.mark.parametrize("name", ["--help", "..", "a:b", "a/b", "-rf"])
def test_what_is_not_a_login_name_is_rejected(name, hub, tmp_path):
    commands = dict.fromkeys(("id", "useradd", "chpasswd", "getent", "runuser"), "exit 1")
    done = hub("add", f"ada\n{name}\n", commands)
    assert (done.returncode, f"'{name}' in logins.txt is not a login name" in done.stderr) == (2, True)
    assert not (tmp_path / "log").exists()


def test_second_hub_is_not_started(hub, tmp_path):
    (tmp_path / "hub.pid").write_text(f"{os.getpid()}\n", encoding="utf-8")
    done = hub("start", "ada\n", {"jupyterhub": "exit 0"})
    assert (done.returncode, "The hub runs already" in done.stderr) == (2, True)
    assert (tmp_path / "hub.pid").read_text(encoding="utf-8") == f"{os.getpid()}\n"


class Hub(http.server.BaseHTTPRequestHandler):
    """Answer as JupyterHub does: ada's server starts, bo's runs already, and nobody else is known."""

    def do_POST(self):
        self.server.seen.append((self.path, self.headers["Authorization"]))
        code, said = {"ada": (201, b""), "bo": (400, b"bo is already running")}.get(
            self.path.split("/")[-2], (404, b"")
        )
        self.send_response(code)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        """Print nothing."""


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_token_goes_to_the_hub_only_and_a_failed_start_is_an_error(hub):
    servers = [http.server.HTTPServer(("127.0.0.1", 0), Hub) for _ in range(2)]
    for server in servers:
        server.seen = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
    direct, proxy = servers
    environment = {"BIND": f"http://127.0.0.1:{direct.server_port}", "no_proxy": ""}
    environment |= dict.fromkeys(("http_proxy", "ALL_PROXY"), f"http://127.0.0.1:{proxy.server_port}")
    assert hub("servers", "ada\nbo\n", **environment).returncode == 0
    assert direct.seen == [(f"/hub/api/users/{name}/server", "token secret") for name in ("ada", "bo")]
    assert proxy.seen == []
    done = hub("servers", "carl\nada\n", **environment)
    assert (done.returncode, done.stderr) == (1, "carl's server was not started. 404\n")
    for server in servers:
        server.shutdown()
        server.server_close()
    assert hub("servers", "ada\n", **environment).returncode == 1
