// Package layer2 answers ARP and NDP for the addresses this node holds. Its one job is Set: it is given the whole
// desired state, addresses with the interfaces to answer on, makes the segment see just that, and says by Held what it
// truly does. It refuses to decide which node holds an address (speaker/election) and on which interfaces
// (speaker/announce), and it never touches the kernel's own addresses or its neighbor table.
//
// There is one packet socket per interface and protocol, behind a filter in the kernel that lets nothing through but
// requests addressed to everybody or to us. Whatever the number of addresses, an answer is a look-up in a map that is
// replaced as a whole when the state changes. A frame that is wrong in any way is dropped without a word, as the RFCs
// demand; nothing that arrives can end a receiver.
//
// ARP is RFC 826 with the probes and announcements of RFC 5227; NDP is RFC 4861 sections 7.1 and 7.2. Frames that say
// something other than a question about one of our addresses, such as a foreign host's claim to one of them, are passed
// over by answerARP and answerNDP: the place where a conflict shows.
package layer2
