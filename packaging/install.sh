#!/usr/bin/env bash
# Installs the system packages of a list that are missing; services among them are neither started nor enabled.
#   packaging/install.sh packaging/apt-packages.txt
set -euo pipefail

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

policy=/usr/sbin/policy-rc.d  # Debian asks it before an installation starts a service; 101 forbids
ours=""
allow() { [ -z "$ours" ] || as_root rm -f "$policy"; }
trap allow EXIT

mapfile -t wanted < <(sed 's/#.*//; s/[[:space:]]*$//; /^$/d' "$1")
missing=()
for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

echo "setup: installing ${missing[*]}"
if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 0755 "$policy"
fi
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
if [[ " ${missing[*]} " == *" openssh-server "* ]] && [ -d /run/systemd/system ]; then
    as_root systemctl --quiet disable ssh.service ssh.socket 2>/dev/null || true  # nor at the next boot
fi
