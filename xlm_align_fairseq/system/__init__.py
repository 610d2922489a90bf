"""Helpers for the machine: files, processes, memory, ranks, devices. They do not depend on language."""
