#!/bin/sh
# Installs the node on Debian or another Linux with systemd, or upgrades it. As root, from the source tree or with a wheel:
#
#   systemd/install.sh [--roles] [--wheel FILE] [--root DIR] [--no-start] [-- INIT-OPTIONS…]
#
#   --roles      a unit and a user for each role (deid-node.target) instead of one unit; see README.md here
#   --wheel      what to install; default: this source tree
#   --root       install below DIR, for an image; nothing is started then
#   --no-start   install, but neither enable nor start
#   -- …         how `deid-node init` makes the first configuration, such as: -- --from CT1@10.1.2.3 --to ARCHIVE@10.1.2.4:104
#
# A configuration and a key that are there already are left alone. PIP_… variables (PIP_INDEX_URL, PIP_NO_INDEX and
# PIP_FIND_LINKS without a network) count. It may be run again.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$here")
root= wheel= roles=no start=yes

fail() { echo "install.sh: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
  case $1 in
    --roles) roles=yes ;;
    --wheel) [ $# -gt 1 ] || fail "--wheel needs a file"; wheel=$2; shift ;;
    --root) [ $# -gt 1 ] || fail "--root needs a folder"; root=${2%/}; start=no; shift ;;
    --no-start) start=no ;;
    --) shift; break ;;
    *) sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift
done

[ "$(id -u)" = 0 ] || fail "must be run as root"
[ -z "$root" ] || mkdir -p "$root"
[ -z "$wheel" ] || [ -f "$wheel" ] || fail "there is no wheel $wheel"
for command in systemd-sysusers systemd-tmpfiles; do
  command -v $command >/dev/null || fail "$command is missing: this machine has no systemd; see README.md for a node without it"
done
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || fail "Python 3.11 or newer is missing"
"$python" -c 'import ensurepip' 2>/dev/null || fail "python3-venv is missing: apt-get install python3-venv"

prefix=$root/opt/deid-node etc=$root/etc/deid-node
name=deid-node; [ $roles = no ] || name=deid-node-roles

# 1. Users
install -D -m 0644 "$here/sysusers.d/$name.conf" "$root/etc/sysusers.d/$name.conf"
systemd-sysusers ${root:+--root="$root"} "$name.conf"

# 2. Program
[ -x "$prefix/bin/python" ] || "$python" -m venv "$prefix"
"$prefix/bin/python" -m pip install --quiet --upgrade "${wheel:-$source}"
if [ -z "${PIP_NO_DEPS:-}" ] && [ -f "$source/requirements-headless.lock" ]; then  # OpenCV that needs no display
  "$prefix/bin/python" -m pip install --quiet --require-hashes --no-deps --force-reinstall -r "$source/requirements-headless.lock"
fi

# 3. Configuration and key
if [ ! -e "$etc/node.toml" ]; then
  install -d -m 0750 "$etc"
  "$prefix/bin/deid-node" init "$etc" --spool /var/lib/deid-node "$@" || [ $? -eq 3 ] || fail "init failed"
  if [ $roles = yes ]; then
    sed -i 's|^key_file = .*|key_file = "$CREDENTIALS_DIRECTORY/key"|' "$etc/node.toml"
  fi
fi

# 4. Folders, owners, modes
install -D -m 0644 "$here/tmpfiles.d/$name.conf" "$root/etc/tmpfiles.d/$name.conf"
systemd-tmpfiles ${root:+--root="$root"} --create "$name.conf"

# 5. Units
if [ $roles = yes ]; then units="$here/deid-node.target $(ls "$here"/deid-node-*.service)" unit=deid-node.target
else units=$here/deid-node.service unit=deid-node.service; fi
for each in $units; do install -D -m 0644 "$each" "$root/etc/systemd/system/$(basename "$each")"; done

echo "installed $("$prefix/bin/python" -c 'from importlib.metadata import version; print("deid-node", version("deid-node"))') as $unit"
echo "BACK UP $etc/key: without it no patient ever gets the same pseudonym again"
if [ $start = yes ]; then
  systemctl daemon-reload
  systemctl enable --quiet $unit
  systemctl restart $unit
  echo "it runs; next: $prefix/bin/deid-node status --config $etc/node.toml"
else
  echo "next: look at $etc/node.toml, then systemctl enable --now $unit"
fi
