"""Stand-ins for the messengers' servers, on real sockets, with faults on demand."""
