"""The SMC RPC API, version 2019-06-01: the public actions and ours, in the same style."""
