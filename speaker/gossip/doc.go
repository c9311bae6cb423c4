// Package members knows which other speakers are alive, and carries what they tell each other. Its job is to keep this
// speaker in touch with those that the API server names, by encrypted gossip on the nodes' own network; to find out within
// a fraction of a second who has gone silent; and to bring the claims and the states of all to all. It refuses to decide
// what follows from that (internal/core/election) and to read the cluster itself: Set is given what is known. It is the only
// importer of memberlist.
//
// Three parts, one port, one encryption:
//   - memberlist keeps the list of members, with its own probes and its own dissemination;
//   - the pulse pings by datagram whom this speaker watches; the rule of who is silent is the type watch;
//   - claims and states are told directly, repeated by gossip, and made whole by complete exchanges.
//
// Unknown is not empty: a speaker that has met nobody may be the only one, or the one that is cut off. View says Known
// only when it is clear which, by the rules of the type acquaintance. And what was known is not known any more by a
// process that was stopped: that is Stale.
package gossip
