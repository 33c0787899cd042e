#!/bin/sh
# Installs the system packages that the tests need and that are missing. The main job (npm start) needs none.
# Quick and silent where everything is there. Debian and its children; elsewhere it says what to install.
set -eu

missing=''
for browser in chromium chromium-browser google-chrome; do
  if command -v "$browser" >/dev/null 2>&1; then found=$browser; break; fi
done
# The browser opens the HTML report in the tests; its text needs a font.
[ -n "${found:-}" ] || missing="$missing chromium"
[ -n "$(find /usr/share/fonts /usr/local/share/fonts -name '*.[to]tf' -print 2>/dev/null | head -n 1)" ] ||
  missing="$missing fonts-dejavu-core"

# Sweeps over many machines are tested on a server of the tests' own.
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"

# Shells whose completion is tested.
for shell in zsh fish; do
  command -v "$shell" >/dev/null 2>&1 || missing="$missing $shell"
done

# What the kernel itself records needs root: without it these tests are left out.
if [ "$(id -u)" -eq 0 ]; then
  for tracer in strace bpftrace; do
    command -v "$tracer" >/dev/null 2>&1 || missing="$missing $tracer"
  done
  command -v perf >/dev/null 2>&1 || missing="$missing linux-perf"
fi

# A full run records in a guest, too.
if [ "${IORR_FULL:-}" = 1 ]; then
  command -v qemu-system-x86_64 >/dev/null 2>&1 || missing="$missing qemu-system-x86"
  command -v xz >/dev/null 2>&1 || missing="$missing xz-utils"
  # The programs and the kernel of the guest whose calls are recorded are built here.
  for program in gcc make flex bison bc perl; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
  done
  [ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
  [ -e /usr/include/libelf.h ] || missing="$missing libelf-dev"
fi

[ -n "$missing" ] || exit 0

install="apt-get update && apt-get install -y --no-install-recommends$missing"
if ! command -v apt-get >/dev/null 2>&1; then
  echo "setup: the tests need these packages, by their Debian names:$missing" >&2
  echo "setup: no apt-get here; install them with this system's own package manager, then try again" >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "setup: the tests need these packages:$missing" >&2
  echo "setup: run as root: $install" >&2
  exit 1
fi
echo "setup: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -q -o Acquire::Retries=3 >&2
# shellcheck disable=SC2086 # a list of packages
apt-get install -y -q --no-install-recommends -o Acquire::Retries=3 $missing >&2
