// Package gossip replicates what speakers tell each other. Its job is to keep this speaker in touch with those that the API
// server names, by encrypted gossip on the nodes' own network, and to bring the claims and states of all speakers to all of
// them. It refuses to decide who is alive (internal/core/detector) and what follows from that (internal/core/election), and
// to read the cluster itself: Set is given what is known. It is the only importer of memberlist.
//
// Three parts share one port and one encryption:
//   - memberlist keeps a list of members, with its own probes and its own dissemination;
//   - heartbeats ping by datagram those that this speaker observes, much faster than memberlist does; the detector is told
//     what both find;
//   - claims and states are sent directly to everybody, retransmitted by gossip, and completed by push/pull exchanges as soon
//     as the digests in the heartbeats differ; by datagrams alone where connections fail.
//
// Messages have versions: version1.go and version2.go have the encodings, version.go says who understands which. guard.go bounds
// what those may cost who have no key, and freshness.go tells news from recordings.
//
// Unknown is not empty: a speaker that has met nobody may be the only one, or the one that is cut off. View says Known only
// when it is clear which, by detector.Bootstrap. And a process that was stopped does not know any more what it knew: it is
// Stale, by detector.Pause.
//
// A Runner starts a Membership once there are a key and an address, and again after a failure.
package gossip
