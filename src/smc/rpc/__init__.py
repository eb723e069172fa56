"""The kit for servers in the vendor's RPC style: signatures, parameters, dispatch, errors."""
