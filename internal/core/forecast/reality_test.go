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
)

var settings = Settings{Classes: lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true}, PoolGrace: time.Minute}

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
	holds []netip.Addr
	// paths that it would send each of its peers.
	paths map[string][]announce.Path
	// healthy are the Services whose health checks succeed on it.
	healthy map[lb.Key]bool
}

// rest lets the programs run until nothing happens any more, also when the controller waits no longer.
func (r *reality) rest() {
	for quiet := 0; quiet < 20; quiet++ {
		parsed := cluster.Parse(r.objects)
		plan := ipam.Compute(parsed.AddressWorld(r.now, settings.Classes, settings.PoolGrace, r.memory))
		r.memory = plan.Memory
		if r.write(&plan) || r.speak(parsed) {
			quiet = 0
		}
		r.now = r.now.Add(100 * time.Millisecond)
		if quiet == 19 && plan.Next.After(r.now) {
			r.now, quiet = plan.Next, 0
		}
	}
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
	members, _ := cluster.Report(parsed.Nodes, parsed.Speakers)
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
			r.speakers[name] = &speaker{Participant: election.NewParticipant(name, 0)}
		}
		s, world := r.speakers[name], parsed.AnnounceWorld(settings.Classes, settings.Options)
		world.Node, world.Members, world.Links, world.OwnLinks = name, members, r.links, r.links[name]
		plan := announce.Compute(&world)
		decision := s.Decide(plan.ElectionContests(), election.ParticipantInput{
			Now: r.now, Incarnation: 1, Claims: maps.Clone(r.claims), Answered: s.holds,
			GraceInput: election.GraceInput{Known: true, LinkUp: true, Live: live},
		})
		s.holds, s.paths, s.healthy = nil, map[string][]announce.Path{}, map[lb.Key]bool{}
		for _, port := range plan.HealthPorts {
			s.healthy[port.Service] = port.LocalEndpoints > 0
		}
		for _, hold := range decision.Hold {
			s.holds = append(s.holds, hold.Addr)
		}
		for _, claim := range decision.Claims {
			r.claims.Learn(claim)
			claimed = true
		}
		for _, session := range plan.Sessions {
			s.paths[session.Peer] = session.Paths
		}
	}
	return claimed
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
		for _, addr := range s.holds {
			of.Status.Layer2.Held = append(of.Status.Layer2.Held, v1beta1.HeldAddress{Address: addr.String()})
			of.Status.Layer2.IPv4++
		}
		for peer := range s.paths {
			of.Status.BGP = append(of.Status.BGP, v1beta1.BGPSession{Peer: peer, State: v1beta1.BGPEstablished})
		}
	}
}
