package view

import (
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Status is a cluster on one screen.
type Status struct {
	Controller ControllerLine `json:"controller"`
	Speakers   SpeakersLine   `json:"speakers"`
	Services   ServicesLine   `json:"services"`
	Layer2     []HeldCount    `json:"layer2,omitempty"`
	Drains     []DrainLine    `json:"drains,omitempty"`
	Pools      []PoolLine     `json:"pools,omitempty"`
	Peers      []PeerLine     `json:"peers,omitempty"`
	Problems   []Problem      `json:"problems"`
	Unseen     []Unseen       `json:"unseen,omitempty"`
}

// SpeakersLine counts nodes.
type SpeakersLine struct {
	// Nodes that have a speaker or are to have one, and how many of them have a speaker that reports to be ready.
	Nodes int `json:"nodes"`
	Ready int `json:"ready"`
	// ReadyButFor is how many more report all but what the L2Advertisements ButFor ask for, which are at fault themselves.
	ReadyButFor int      `json:"readyButFor,omitempty"`
	ButFor      []string `json:"butFor,omitempty"`
	// Gone are nodes whose speakers are gone.
	Gone     []string `json:"gone,omitempty"`
	Versions []string `json:"versions,omitempty"`
}

// ServicesLine counts Services of ours by state.
type ServicesLine struct {
	// Namespace that they are of; empty: all.
	Namespace    string `json:"namespace,omitempty"`
	Total        int    `json:"total"`
	Announced    int    `json:"announced"`
	Waiting      int    `json:"waiting"`
	Kept         int    `json:"kept"`
	NotAnnounced int    `json:"notAnnounced"`
	Unknown      int    `json:"unknown"`
}

// HeldCount is how many addresses a node holds by layer 2.
type HeldCount struct {
	Node  string `json:"node"`
	Count int32  `json:"count"`
}

// SeesSpeakers reports whether all speakers are seen: of those that are not, no number is an answer.
func (s *Status) SeesSpeakers() bool { return s.sees(resourceSpeakers) }

// SeesNodes reports the same of nodes.
func (s *Status) SeesNodes() bool { return s.sees(resourceNodes) }

// SeesPools reports the same of pools.
func (s *Status) SeesPools() bool { return s.sees(resourcePools) }

// SeesPeers reports the same of BGP peers.
func (s *Status) SeesPeers() bool { return s.sees(resourcePeers) }

func (s *Status) sees(resource string) bool {
	return !slices.ContainsFunc(s.Unseen, func(u Unseen) bool { return u.Resource == resource })
}

// Status of the cluster.
func (c *Cluster) Status() Status {
	s := c.Glance()
	s.Problems = c.onScreen(c.Problems().Items)
	return s
}

// Glance is the Status for who looks all the time: without the problems that are computed of all routes.
func (c *Cluster) Glance() Status {
	s := Status{Controller: c.Controller(), Speakers: c.speakersLine(), Services: c.servicesLine(), Problems: c.onScreen(c.reported()), Unseen: c.Unseen}
	s.Drains = c.drainLines()
	for _, speaker := range all[*v1beta1.Speaker](c) {
		held := speaker.Status.Layer2.IPv4 + speaker.Status.Layer2.IPv6
		if held > 0 && !lb.SpeakerGone(speaker) {
			s.Layer2 = append(s.Layer2, HeldCount{speaker.Name, held})
		}
	}
	for _, pool := range all[*v1beta1.IPAddressPool](c) {
		s.Pools = append(s.Pools, PoolLine{pool.Name, written(pool.Status.IPv4), written(pool.Status.IPv6)})
	}
	known := c.Parsed.Known()
	for _, raw := range all[*v1beta1.BGPPeer](c) {
		_, line := c.peerLine(raw, known)
		s.Peers = append(s.Peers, line)
	}
	return s
}

// onScreen are problems with what follows from one of them folded into it.
func (c *Cluster) onScreen(problems []Problem) []Problem {
	return append([]Problem{}, c.folded(c.wanted(problems), "Service")...)
}

// written is the count in a pool's status.
func written(count *v1beta1.AddressCount) *PoolCount {
	if count == nil {
		return nil
	}
	return &PoolCount{Assigned: count.Assigned, Available: count.Available}
}

// Serving is on how many nodes a speaker does all that it can: an advertisement that nobody can announce is no fault of it.
func (s SpeakersLine) Serving() int { return s.Ready + s.ReadyButFor }

func (c *Cluster) speakersLine() (line SpeakersLine) {
	for _, n := range c.Parsed.Nodes {
		if c.speakers[n.Name] != nil || n.NoSpeaker() == "" && c.LeftOut(n.Name) == "" {
			line.Nodes++
		}
	}
	for _, s := range all[*v1beta1.Speaker](c) {
		if lb.SpeakerGone(s) {
			line.Gone = append(line.Gone, s.Name)
			continue
		}
		if ready(s) {
			line.Ready++
		} else if faults := c.faultOf(s); len(faults) > 0 {
			line.ReadyButFor++
			line.ButFor = append(line.ButFor, faults...)
		}
		line.Versions = append(line.Versions, s.Status.Version)
	}
	slices.Sort(line.Versions)
	line.Versions = slices.Compact(line.Versions)
	slices.Sort(line.ButFor)
	line.ButFor = slices.Compact(line.ButFor)
	return line
}

func (c *Cluster) servicesLine() (line ServicesLine) {
	line.Namespace = c.Only
	for _, s := range c.ours(false) {
		if c.Only != "" && s.Key.Namespace != c.Only {
			continue
		}
		line.Total++
		switch stated := c.line(s); stated.State {
		case ServiceAnnounced:
			line.Announced++
		case ServiceWaiting:
			line.Waiting++
		case ServiceKept:
			line.Kept++
		case ServiceNotAnnounced:
			line.NotAnnounced++
		default:
			line.Unknown++
		}
	}
	return line
}
