package link

// answersElsewhere reports whether the kernel answers an ARP request on any interface for the addresses of all: arp_ignore is 0.
// kube-proxy sets it to 1 where its strictARP is true.
func answersElsewhere() bool { return setting("all", "arp_ignore") == "0" }
