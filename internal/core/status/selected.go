package status

import (
	"fmt"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// selected are the nodes that some selectors match.
type selected struct {
	// counted are those that should have sessions.
	counted []*nodeStanding
	// others are those that do not count, by their standing.
	others map[standing][]*nodeStanding
}

// selectedBy are the nodes that selectors match.
func (r *References) selectedBy(selectors lb.Selectors) *selected {
	s := &selected{others: map[standing][]*nodeStanding{}}
	for i := range r.nodes {
		n := &r.nodes[i]
		switch {
		case !selectors.Match(n.Labels):
		case n.standing == counted:
			s.counted = append(s.counted, n)
		default:
			s.others[n.standing] = append(s.others[n.standing], n)
		}
	}
	return s
}

// anyNode is Ready by what selectors match: a node on which a speaker can run, unless the cluster has none. What is written before there
// are nodes is right.
func (r *References) anyNode(s *selected) Condition {
	matched := len(s.counted) + len(s.others[without]) + len(s.others[starting]) + len(s.others[off])
	if matched > 0 || !slices.ContainsFunc(r.nodes, func(n nodeStanding) bool { return n.standing != unable }) {
		return valid(nil)
	}
	return notReady(NoNode, joined("nodeSelectors match no node on which a speaker can run", s.text(unable)))
}

// text names the nodes of a standing that do not count; empty for none.
func (s *selected) text(of standing) string {
	nodes := s.others[of]
	if len(nodes) == 0 {
		return ""
	}
	words := map[standing]string{
		without: "no speaker runs on ", starting: "no speaker runs yet on ", off: "not ready: ", unable: "no speaker can run on ",
	}
	return words[of] + list(len(nodes), func(i int) string {
		if why := nodes[i].NoSpeaker(); of == unable {
			return fmt.Sprintf("%s (%s)", nodes[i].Name, why)
		}
		return nodes[i].Name
	}, ", ")
}

// silent names the nodes that count and whose speakers do not speak, each with the reason.
func (s *selected) silent() string {
	var texts []string
	for _, n := range s.counted {
		if why := n.absent(); why != "" {
			texts = append(texts, n.Name+": "+why)
		}
	}
	return listed(texts)
}

// absent says why what the speaker of a node reports is old; empty if it is not.
func (n *nodeStanding) absent() string {
	switch {
	case n.Down:
		return "the node is not ready"
	case lb.SpeakerGone(n.speaker):
		return "its speaker is gone"
	}
	return ""
}
