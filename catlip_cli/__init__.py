"""The `catlip` command: options in, a library call, rendering out. The only place with click, rich and exit codes."""
