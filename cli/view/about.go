package view

import (
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// subject is what a problem is about, and what can be explained. A Speaker is the same subject as its Node.
type subject struct{ kind, namespace, name string }

func nodeSubject(name string) subject { return subject{kind: "Node", name: name} }

// orNode is the Node of a Speaker; others are themselves.
func (s subject) orNode() subject {
	if s.kind == "Speaker" {
		return nodeSubject(s.name)
	}
	return s
}

func addressSubject(address string) subject { return subject{kind: "Address", name: address} }

func serviceSubject(key lb.Key) subject { return subject{"Service", key.Namespace, key.Name} }

// isAbout reports whether a problem is about one of some subjects: it is that of its object, and of others that it names.
func (p *Problem) isAbout(subjects []subject) bool {
	object := subject{p.Kind, p.Namespace, p.Name}.orNode()
	return slices.Contains(subjects, object) || slices.ContainsFunc(p.about, func(s subject) bool { return slices.Contains(subjects, s) })
}

// problemsAbout is the rule by which an explanation says that something is wrong: all that Problems names about one of some subjects, and
// the sessions that the explanation shows. Of the sessions there is a line each, and not one for all nodes.
func (c *Cluster) problemsAbout(sessions []Problem, subjects ...subject) []Problem {
	found := slices.DeleteFunc(slices.Clone(c.reported()), func(p Problem) bool { return !p.isAbout(subjects) })
	return sorted(append(found, sessions...))
}

// sessionProblems are sessions of a node whose routers were not sent what they should; with those that are down, unless an administrator
// wants that.
func (c *Cluster) sessionProblems(node string, lines []SessionLine, down bool) (found []Problem) {
	for i := range lines {
		s := &lines[i]
		switch {
		case s.Sent != nil && s.Sent.Result == SentDiffers:
			found = append(found, sentDiffers(s.Peer, node, s.Sent.Message))
		case s.Sent != nil && s.Sent.Result == SentNothing && down && !c.downOnPurpose(s.Peer):
			found = append(found, sessionDown(node, s))
		}
	}
	return found
}

// What stands against a node whose session with a router is the one thing that is missing, one whose router has the session of an older
// BGPPeer, and one that is to tell other peers.
const (
	noSession  = "NoSession"
	overridden = "Overridden"
	notForPeer = "NotForPeer"
)

// storyProblems are the sessions on which nodes would announce addresses and that are down, and those of other nodes, too, whose routers
// were sent something else than they should.
func (c *Cluster) storyProblems(stories ...AddressStory) (found []Problem) {
	for i := range stories {
		for _, node := range stories[i].Nodes {
			for j := range node.Peers {
				peer := &node.Peers[j]
				problems := c.sessionProblems(node.Node, peer.Sessions, peer.Does || peer.Against.Reason == noSession)
				if !peer.Does && peer.Against.Reason == overridden {
					problems = append(problems, untold(&node, peer, stories[i].Address)...)
				}
				for _, p := range problems {
					if !slices.ContainsFunc(found, func(other Problem) bool { return other.Name == p.Name && other.Message == p.Message }) {
						found = append(found, p)
					}
				}
			}
		}
	}
	return found
}

// downOnPurpose reports whether an administrator has shut a peer down.
func (c *Cluster) downOnPurpose(peer string) bool {
	return slices.ContainsFunc(c.Parsed.Peers, func(p *lb.Peer) bool {
		return p.Name == peer && lb.InForce(p, nil).AdminState == v1beta1.AdminDown
	})
}

func sentDiffers(peer, node, message string) Problem {
	return Problem{
		Severity: Warning, Kind: "BGPPeer", Name: peer, Reason: "SentDiffers",
		Message: "node " + node + ": the router was sent other routes than the objects ask for: " + message,
		Remedy: "For a moment after a change that is so. If it stays, see whether the speaker of the node has this plugin's version, and what it " +
			"logs; a bundle has what others need.",
		Command: "kubectl daymark routes --peer " + peer + " --node " + node, about: []subject{nodeSubject(node)},
	}
}

func sessionDown(node string, s *SessionLine) Problem {
	message := "node " + node + ": the session with " + s.Address + " is " + s.State
	if s.LastError != "" {
		message += ": " + s.LastError
	}
	return Problem{
		Severity: Warning, Kind: "BGPPeer", Name: s.Peer, Reason: "NotEstablished", Since: &s.Since, Message: message,
		Remedy: remedy("BGPPeer", v1beta1.ConditionSessionsEstablished, "NotEstablished"), Command: "kubectl daymark explain peer " + s.Peer,
		about: []subject{nodeSubject(node)},
	}
}

// subjectsOf a Service are itself and its addresses.
func subjectsOf(s *lb.Service) []subject {
	subjects := []subject{serviceSubject(s.Key)}
	for _, addr := range s.Ingress {
		subjects = append(subjects, addressSubject(addr.String()))
	}
	return subjects
}
