"""The gRPC services that this server calls: their definitions, and the code made from them by `make protos`."""
