"""NAPALM's own suite of getters on recorded output, expected results written by hand."""

from __future__ import annotations

import pytest
from napalm.base.test.getters import BaseTestGetters


@pytest.mark.usefixtures("set_device_parameters")
class TestGetters(BaseTestGetters):  # type: ignore[misc]  # napalm publishes no types
    """All of them but those about routing, optics, probes, policies and VRFs."""

    test_get_bgp_neighbors = None
    test_get_bgp_config = None
    test_get_bgp_neighbors_detail = None
    test_get_arp_table_with_vrf = None
    test_get_ntp_peers = None
    test_get_route_to = None
    test_get_route_to_longer = None
    test_get_probes_config = None
    test_get_probes_results = None
    test_get_optics = None
    test_get_network_instances = None
    test_get_firewall_policies = None
