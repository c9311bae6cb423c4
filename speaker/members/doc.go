// Package members knows which other speakers are alive. Its one job is to keep this speaker in touch with those that
// the API server names, by encrypted gossip on the nodes' own network, and to say by View who answers. It refuses to
// decide what follows from that (speaker/election) and to read the cluster itself: Set is given what is known. It is
// the only importer of memberlist.
//
// Unknown is not empty: a speaker that has met nobody may be the only one, or the one that is cut off. View says Known
// only when it is clear which, by the rules of the type acquaintance.
package members
