"""A hub for a class: students log in to their own accounts on this machine. As root, `hub.sh start` starts it.

The rest is JupyterHub's default: PAM checks the passwords, and each server runs in the account of its student.
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821 - JupyterHub defines it
load_subconfig(str(Path(__file__).with_name("shared.py")))  # noqa: F821 - JupyterHub defines it

logins = Path("logins.txt")
if not logins.is_file():
    sys.exit("logins.txt not found. Start the hub in the folder that contains the list of the students' login names.")
try:
    c.Authenticator.allowed_users = set(logins.read_text(encoding="utf-8-sig").split())
except UnicodeDecodeError:
    sys.exit("logins.txt is not a UTF-8 text file. Save it in UTF-8.")
c.Authenticator.allow_existing_users = False  # those of a trial, or names that are no longer in the list
# Kernels listen on sockets in a private folder, because any account could read their output over TCP.
c.Spawner.args = ["--KernelManager.transport=ipc"]
os.umask(0o077)  # only root can read the hub's database
