// Package layer2 answers ARP and NDP for the addresses this node holds. Its one job is Set: it is given the whole
// desired state, addresses with the interfaces to answer on, makes the segment see just that, and says by Held what it
// truly does. It refuses to decide which node holds an address (internal/core/election) and on which interfaces
// (internal/core/announce), and it never touches the kernel's own addresses or its neighbor table.
//
// There is one packet socket per interface and protocol, behind a filter in the kernel that lets nothing through but
// requests, replies, solicitations and advertisements addressed to everybody or to us. Whatever the number of addresses,
// an answer is a look-up in a map that is replaced as a whole when the state changes. A frame that is wrong in any way is
// dropped without a word, as the RFCs demand; nothing that arrives can end a receiver.
//
// ARP is RFC 826 with the probes and announcements of RFC 5227; NDP is RFC 4861 sections 7.1 and 7.2 with the duplicate
// address detection of RFC 4862. An address that nobody has held is probed first; where a foreign host answers, it is left
// alone until that host is gone. An address that is held is defended and never given up. Whose MAC address belongs to the
// cluster is no foreign host: SetCluster says so, and Conflicts tells of the others. The rules are acd, which is pure;
// watch keeps one for each address.
//
// A process that stood still may have been replaced as a holder without knowing: while Config.Stale says so, nothing is
// answered, announced or taken over.
package layer2
