#!/bin/sh
# Installs the Debian packages that the tests start as real servers, or says in one line what to
# install; further programs that are named like their package may be given. No package may start its
# service: the tests start their own on loopback.
set -eu
missing=""
need() { # need PROGRAM PACKAGE
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need influxd influxdb
need victoria-metrics victoria-metrics
need nginx nginx-light
need snmpd snmpd
need snmpget snmp
need snmptrap snmp
need lldpd lldpd
need ssh openssh-client
need sshd openssh-server
need dropbear dropbear-bin
need busybox busybox
need dnsmasq dnsmasq-base
need ip iproute2
need git git
need pg_createcluster postgresql
need chromium chromium
for program in "$@"; do need "$program" "$program"; done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "tests that need real servers will skip; to run them: sudo apt-get install$missing" >&2
    [ "${CI:-}" != true ] || exit 1
    exit 0
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # one word a package
apt-get install -y -qq --no-install-recommends $missing >/dev/null
