"""What should exist: neighbourhoods, sites, devices, radios, credentials, events, deployments.

The loop starts and ends here. Other rooms read it through `inventory.queries`, which hands out
the frozen records of `inventory.records`, never ORM rows.
"""
