package forecast

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// restful is for how many rounds of 100 ms nothing must have happened: longer than anybody answers who may not any more.
const restful = 30

// evenOutAfter is longer than all that the controller waits for.
const evenOutAfter = time.Hour

var settings = Settings{Classes: lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true}, PoolGrace: time.Minute, EvenOut: true}

// reality is a cluster in which a controller and the speakers of all nodes really run, on a clock of its own.
type reality struct {
	random  *rand.Rand
	now     time.Time
	objects []runtime.Object
	// links of each node, as its speaker knows them.
	links    map[string][]lb.Link
	memory   ipam.Memory
	speakers map[string]*speaker
	claims   election.Claims
}

// speaker of a node, and what it announced last.
type speaker struct {
	*election.Participant
	// holds are the addresses that it holds, and serves those of others' of which it answers some clients. Tables are of both.
	holds, serves []netip.Addr
	tables        map[netip.Addr]shares.Table
	// asks are its questions about others.
	asks []election.Question
	// paths that it would send each of its peers, and why it has no session with others.
	paths map[string][]announce.Path
	why   map[string]string
	// families that its session with each peer has.
	families map[string][]lb.Family
	// healthy are the Services whose health checks succeed on it.
	healthy map[lb.Key]bool
}

// rest lets the programs run until nothing happens any more, also when the controller waits no longer. It returns how often something did.
func (r *reality) rest() (busy int) {
	for quiet := 0; quiet < restful; quiet++ {
		parsed := cluster.Parse(r.objects)
		plan := ipam.Compute(parsed.AddressWorld(r.now, settings.Classes, settings.PoolGrace, r.memory))
		r.memory = plan.Memory
		if r.write(&plan) || r.speak(parsed) {
			quiet = 0
			busy++
		}
		r.now = r.now.Add(100 * time.Millisecond)
		if quiet == restful-1 && plan.Next.After(r.now) {
			r.now, quiet = plan.Next, 0
		}
	}
	return busy
}

// write some of a plan into the Services, and report whether there was something.
func (r *reality) write(plan *ipam.Plan) (wrote bool) {
	for i := range plan.Assignments {
		a := &plan.Assignments[i]
		s := r.find(a.Service.Key)
		var addresses []netip.Addr
		provenance := lb.Provenance{Class: settings.Classes.Name}
		for _, has := range a.Addresses {
			addresses = append(addresses, has.Addr)
			provenance.Allocations = append(provenance.Allocations, has.Allocation())
		}
		same := slices.Equal(addresses, a.Service.Ingress) && provenance.Message() == message(s)
		if wrote = wrote || !same; same || r.random.IntN(2) == 0 {
			continue
		}
		reason := "Allocated"
		if !a.MissingSince.IsZero() {
			reason = v1beta1.ReasonPoolMissing
		}
		s.Status.Conditions = []metav1.Condition{
			{Type: v1beta1.ConditionAddressAssigned},
			{Type: v1beta1.ConditionProvenance, Reason: reason, Message: provenance.Message(), LastTransitionTime: metav1.NewTime(a.MissingSince)},
		}
		s.Status.LoadBalancer.Ingress = nil
		for _, addr := range addresses {
			s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: addr.String()})
		}
	}
	return wrote
}

func message(s *corev1.Service) string {
	for _, c := range s.Status.Conditions {
		if c.Type == v1beta1.ConditionProvenance {
			return c.Message
		}
	}
	return ""
}

func (r *reality) find(key lb.Key) *corev1.Service {
	for _, object := range r.objects {
		if s, ok := object.(*corev1.Service); ok && s.Namespace == key.Namespace && s.Name == key.Name {
			return s
		}
	}
	return nil
}

// speak lets each speaker that is there decide, in any order, and report whether one has claimed something.
func (r *reality) speak(parsed *cluster.Objects) (claimed bool) {
	members, _ := cluster.Report(cluster.Present(parsed.Nodes, parsed.Speakers))
	live := map[string]uint64{}
	for _, name := range members.Alive {
		live[name] = 1
	}
	names := slices.Clone(members.Alive)
	r.random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for name := range r.speakers {
		if live[name] == 0 {
			delete(r.speakers, name)
		}
	}
	for _, name := range names {
		if r.speakers[name] == nil {
			r.speakers[name] = &speaker{Participant: election.NewParticipant(name, evenOutAfter)}
		}
		s, world := r.speakers[name], parsed.AnnounceWorld(settings.Classes, settings.Options)
		world.Node, world.Members, world.Links, world.OwnLinks = name, members, r.links, r.links[name]
		plan := announce.Compute(&world)
		decision := s.Decide(plan.ElectionContests(), election.ParticipantInput{
			Now: r.now, Incarnation: 1, Claims: maps.Clone(r.claims), Answered: s.holds, Answers: r.answers(s.asks),
			GraceInput: election.GraceInput{Known: true, LinkUp: true, Live: live},
		})
		s.holds, s.serves, s.tables, s.asks = nil, nil, map[netip.Addr]shares.Table{}, decision.Ask
		s.paths, s.families, s.healthy = map[string][]announce.Path{}, map[string][]lb.Family{}, map[lb.Key]bool{}
		s.why = map[string]string{}
		for _, port := range plan.HealthPorts {
			s.healthy[port.Service] = port.LocalEndpoints > 0
		}
		for _, hold := range decision.Hold {
			s.holds, s.tables[hold.Addr] = append(s.holds, hold.Addr), hold.Shares
		}
		for _, serve := range decision.Serve {
			s.serves, s.tables[serve.Addr] = append(s.serves, serve.Addr), serve.Shares
		}
		for _, claim := range decision.Claims {
			r.claims.Learn(claim)
			claimed = true
		}
		for _, session := range plan.Sessions {
			if session.Problem != "" {
				s.why[session.Peer] = session.Problem
				continue
			}
			s.paths[session.Peer] = ofFamilies(session.Paths, session.Families)
			s.families[session.Peer] = session.Families
		}
	}
	return claimed
}

// ofFamilies are those of some paths that a session with these families has.
func ofFamilies(paths []announce.Path, families []lb.Family) []announce.Path {
	return slices.DeleteFunc(slices.Clone(paths), func(p announce.Path) bool { return !slices.Contains(families, lb.FamilyOf(p.Prefix.Addr())) })
}

// answers to questions on the segment.
func (r *reality) answers(asked []election.Question) map[election.Question]election.Answer {
	answers := make(map[election.Question]election.Answer, len(asked))
	for _, q := range asked {
		answers[q] = election.NoAnswer
		if s := r.speakers[q.Node]; s != nil && slices.Contains(slices.Concat(s.holds, s.serves), q.Addr) {
			answers[q] = election.Answered
		}
	}
	return answers
}

// answering is how many shares of the clients of an address each node answers.
func (r *reality) answering(addr netip.Addr) map[string]int {
	nodes := map[string]int{}
	for name, s := range r.speakers {
		table := s.tables[addr]
		switch {
		case table.Has(name):
			nodes[name] = table.Of(name).Len()
		case slices.Contains(s.holds, addr) && !table.Shared():
			nodes[name] = shares.Count
		}
	}
	return nodes
}

// evenOut lets the programs run until everything is evened out, too.
func (r *reality) evenOut() {
	for range 100 {
		r.now = r.now.Add(evenOutAfter)
		if r.rest() == 0 {
			return
		}
	}
}

// report what the speakers hold, and which sessions they have, in their objects.
func (r *reality) report() {
	for _, object := range r.objects {
		of, ok := object.(*v1beta1.Speaker)
		if !ok || r.speakers[of.Name] == nil {
			continue
		}
		s := r.speakers[of.Name]
		of.Status.Layer2, of.Status.BGP = v1beta1.SpeakerLayer2{}, nil
		for _, addr := range slices.Concat(s.holds, s.serves) {
			held := v1beta1.HeldAddress{Address: addr.String(), Shares: int32(s.tables[addr].Of(of.Name).Len())}
			if s.tables[addr].Shared() {
				held.SharedBy = r.claims[addr].Node
			}
			of.Status.Layer2.Held = append(of.Status.Layer2.Held, held)
			if addr.Is4() {
				of.Status.Layer2.IPv4++
			} else {
				of.Status.Layer2.IPv6++
			}
		}
		for peer := range s.paths {
			of.Status.BGP = append(of.Status.BGP, v1beta1.BGPSession{Peer: peer, State: v1beta1.BGPEstablished})
		}
		for peer, why := range s.why {
			of.Status.BGP = append(of.Status.BGP, v1beta1.BGPSession{Peer: peer, State: v1beta1.BGPActive, LastError: why})
		}
	}
}
