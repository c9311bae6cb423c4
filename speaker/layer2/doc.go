// Package layer2 answers ARP and NDP for the addresses that this node holds. Its one job is Set: it is given the whole
// desired state, addresses with the interfaces to answer on, makes the segment see just that, and reports by Held what
// it really does. It refuses to decide which node holds an address (internal/core/election) and on which interfaces
// (internal/core/announce), and it never touches the kernel's own addresses or its neighbor table.
//
// There is one packet socket for each interface and protocol, with a BPF filter that passes only requests, replies,
// solicitations and advertisements that are addressed to everybody or to us. An answer is one look-up in a map,
// whatever the number of addresses; a change of the state replaces the whole map. An invalid frame is dropped silently,
// as the RFCs demand; no frame can end a receiver.
//
// ARP is RFC 826 with the probes and announcements of RFC 5227 (Address Conflict Detection). NDP is RFC 4861 sections
// 7.1 and 7.2 with the Duplicate Address Detection of RFC 4862. An address that nobody has announced is probed first. If a
// foreign host answers, the address is left alone until that host is gone. An address that is held is defended and
// never given up. A host whose MAC address belongs to the cluster is not foreign: UpdateClusterMACs names those, and
// Conflicts returns the conflicts with all others. The rules are in acd, which is pure; conflictDetector has one for
// each address.
//
// A process that was suspended may have been replaced as holder without knowing it. While Config.Stale says so, nothing
// is answered, announced or taken over.
package layer2
