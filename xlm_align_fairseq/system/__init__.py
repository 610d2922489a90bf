"""The machine: files, processes, memory, ranks, devices. It knows no language."""
