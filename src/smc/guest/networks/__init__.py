"""One file a style of network configuration: who owns a name, what binds it, how it becomes DHCP."""
