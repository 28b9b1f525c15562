"""NAPALM's getters for an OpenWrt access point. What a device does not tell is empty or -1."""

from __future__ import annotations

from typing import Any

from napalm_openwrt import environment, facts, interfaces, neighbours, ping, services
from napalm_openwrt.session import Session


class Getters:
    """What `OpenWrtDriver` can tell of a device; each getter is one command on the device."""

    mask_secrets: bool

    @property
    def session(self) -> Session:
        """The open session."""
        raise NotImplementedError

    def get_facts(self) -> dict[str, Any]:
        """NAPALM's facts; what the device does not tell is empty, its uptime then -1."""
        return facts.get_facts(self.session)

    def get_interfaces(self) -> dict[str, dict[str, Any]]:
        """NAPALM's interfaces, from the kernel; speed in Mbit/s."""
        return interfaces.get_interfaces(self.session)

    def get_interfaces_counters(self) -> dict[str, dict[str, int]]:
        """The kernel's counters; those it does not keep apart are -1."""
        return interfaces.get_interfaces_counters(self.session)

    def get_interfaces_ip(self) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
        """Addresses of interfaces that have any."""
        return interfaces.get_interfaces_ip(self.session)

    def get_vlans(self) -> dict[str, dict[str, Any]]:
        """VLANs by number, with the interfaces or bridge ports that are in them."""
        return interfaces.get_vlans(self.session)

    def get_arp_table(self, vrf: str = "") -> list[dict[str, Any]]:
        """IPv4 neighbours; they are clients too, so keep them nowhere."""
        _no_vrf(vrf)
        return neighbours.get_arp_table(self.session)

    def get_ipv6_neighbors_table(self) -> list[dict[str, Any]]:
        """IPv6 neighbours; they are clients too, so keep them nowhere."""
        return neighbours.get_ipv6_neighbors_table(self.session)

    def get_mac_address_table(self) -> list[dict[str, Any]]:
        """What the bridges learned; they are clients too, so keep it nowhere."""
        return neighbours.get_mac_address_table(self.session)

    def get_lldp_neighbors(self) -> dict[str, list[dict[str, str]]]:
        """Neighbours by interface, if lldpd runs."""
        return neighbours.get_lldp_neighbors(self.session)

    def get_lldp_neighbors_detail(self, interface: str = "") -> dict[str, list[dict[str, Any]]]:
        """Neighbours by interface, or on one, if lldpd runs."""
        return neighbours.get_lldp_neighbors_detail(self.session, interface)

    def get_environment(self) -> dict[str, Any]:
        """CPU use over one second, memory in bytes, temperatures in °C, fans."""
        return environment.get_environment(self.session)

    def get_ntp_servers(self) -> dict[str, dict[str, Any]]:
        """Servers of the NTP client, none if it is off."""
        return services.get_ntp_servers(self.session)

    def get_ntp_stats(self) -> list[dict[str, Any]]:
        """State of the NTP client if it is chrony or ntpd; busybox's own tells none."""
        return services.get_ntp_stats(self.session)

    def get_snmp_information(self) -> dict[str, Any]:
        """snmpd's communities, contact and location; with `mask_secrets` communities are •••."""
        return services.get_snmp_information(self.session, mask_secrets=self.mask_secrets)

    def get_users(self) -> dict[str, dict[str, Any]]:
        """Users that may sign in; with `mask_secrets` the hashes of passwords are •••."""
        return services.get_users(self.session, mask_secrets=self.mask_secrets)

    def ping(  # noqa: PLR0917 — NAPALM's own arguments
        self,
        destination: str,
        source: str = "",
        ttl: int = 255,
        timeout: int = 2,
        size: int = 100,
        count: int = 5,
        vrf: str = "",
        source_interface: str = "",
    ) -> dict[str, Any]:
        """Ping from the device; what went wrong is under `error`."""
        _no_vrf(vrf)
        return ping.ping(
            self.session, destination, source=source or source_interface, ttl=ttl,
            timeout=timeout, size=size, count=count,
        )  # fmt: skip

    def traceroute(
        self,
        destination: str,
        source: str = "",
        ttl: int = 255,
        timeout: int = 2,
        vrf: str = "",
    ) -> dict[str, Any]:
        """Trace the way from the device; at most 30 hops."""
        _no_vrf(vrf)
        return ping.traceroute(self.session, destination, source=source, ttl=ttl, timeout=timeout)


def _no_vrf(vrf: str) -> None:
    if vrf:
        raise NotImplementedError("OpenWrt's access points have no VRFs: leave `vrf` empty")
