"""Ansible playbooks and plugins, thin over `provisioning/`; engineers may run them by hand."""
